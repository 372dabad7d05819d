-- Reads new messages for a consumer, as many as the queue's limits allow.
--
-- Messages in flight are those pending in the group: what a dead worker held
-- counts until it is taken over, so that the limit is never exceeded. The rate is
-- kept by GCRA: one number, the time at which the next message conforms
-- (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
-- KEYS  1 meta, 2 rate, 3… streams, in the order in which they are taken from
-- ARGV  1 group, 2 consumer, 3 most to take
-- Returns {why no more, ms to wait for more or -1, for each stream: {id last
-- delivered, {id, fields}, …}}, why being "" (there may be more), "empty",
-- "paused", "running", "rate" or "nogroup".
local s = redis.call('HMGET', KEYS[1], 'paused', 'running', 'rate', 'per', 'burst')
local n = tonumber(ARGV[3])
local result = {'', -1}
if s[1] then return {'paused', -1} end
if s[2] then
  for k = 3, #KEYS do
    local p = redis.pcall('XPENDING', KEYS[k], ARGV[1])
    if p.err then return {'nogroup', -1} end
    s[2] = s[2] - p[1]
  end
  if s[2] <= 0 then return {'running', -1} end
  n = math.min(n, s[2])
end
local now, conform, interval
if s[3] then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
  interval = s[4] * 1000 / s[3]
  conform = math.max(tonumber(redis.call('GET', KEYS[2]) or now), now)
  local free = math.floor(s[5] - (conform - now) / interval)
  if free < 1 then
    return {'rate', math.ceil((conform - now - (s[5] - 1) * interval) / 1000)}
  end
  n = math.min(n, free)
end
local left = n
for k = 3, #KEYS do
  local got = left > 0 and redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', left, 'STREAMS', KEYS[k], '>')
  if got and got.err then return {'nogroup', -1} end
  local entries = got and got[1] and got[1][2] or {}
  left = left - #entries
  local last = '0-0'
  for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[k])) do
    if get(g, 'name') == ARGV[1] then last = get(g, 'last-delivered-id') end
  end
  table.insert(entries, 1, last)
  result[#result + 1] = entries
end
if interval and left < n then
  conform = conform + (n - left) * interval
  redis.call('SET', KEYS[2], int(conform), 'PX', math.ceil((conform - now) / 1000) + 1000)
end
if left == n then result[1] = 'empty' end
return result
