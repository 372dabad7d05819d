-- Reads new messages for a consumer, as many as the queue's limits allow, from the
-- streams of its levels.
--
-- Messages in flight are those pending in the group: what a dead worker held, and
-- what was handed back, counts until it is taken over, so that the limit is never
-- exceeded. The rate is kept by GCRA: one number, the time at which the next
-- message conforms (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
-- KEYS  1 meta, 2 rate, 3… streams, the most urgent first
-- ARGV  1 group, 2 consumer, 3 most to take, 4 plan: the stream, 0 for the first
--       one, of each message wanted, a digit for each; what these do not have is
--       made up for by the others, the first ones first, 5… for each stream: the
--       most to take from it and those before it
-- Returns {why no more, ms to wait for more or -1, for each stream: {id last
-- delivered or "", 1 if it has more, {id, fields}, …}}, why being "" (there may be
-- more), "empty", "paused", "running", "returned" (as running, but some of it was
-- handed back), "rate" or "nogroup".
local s = redis.call('HMGET', KEYS[1], 'paused', 'running', 'rate', 'per', 'burst')
local n = tonumber(ARGV[3])
if s[1] then return {'paused', -1} end
if s[2] then
  local room, returned = tonumber(s[2]), false
  for k = 3, #KEYS do
    local p = redis.pcall('XPENDING', KEYS[k], ARGV[1])
    if p.err then return {'nogroup', -1} end
    room = room - p[1]
    for _, owner in ipairs(p[4] or {}) do returned = returned or owner[1] == 'released' end
  end
  if room <= 0 then return {returned and 'returned' or 'running', -1} end
  n = math.min(n, room)
end
local now, conform, interval
if s[3] then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
  interval = s[4] / s[3] -- µs
  conform = math.max(tonumber(redis.call('GET', KEYS[2]) or now), now)
  if conform > now + s[5] * interval + 1 then -- limits before these have been slower
    conform = now + s[5] * interval
    redis.pcall('SET', KEYS[2], int(math.ceil(conform)), 'PX', math.ceil((conform - now) / 1000) + 1000)
  end
  local free = math.floor(s[5] - (conform - now) / interval)
  if free < 1 then
    return {'rate', math.ceil((conform - now - (s[5] - 1) * interval) / 1000)}
  end
  n = math.min(n, free)
end

local streams, left, missing = #KEYS - 2, n, false
local got, dry = {}, {}
local function take(k, count)
  local reply = redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'STREAMS', KEYS[k + 2], '>')
  if reply and reply.err then
    missing = true
    return
  end
  local entries = reply and reply[1] and reply[1][2] or {}
  for _, e in ipairs(entries) do got[k][#got[k] + 1] = e end
  left, dry[k] = left - #entries, #entries < count
end
local wanted = {}
for k = 1, streams do got[k], wanted[k] = {'', 0}, 0 end -- the entries follow
for i = 1, math.min(n, #ARGV[4]) do
  local k = string.byte(ARGV[4], i) - 47
  wanted[k] = wanted[k] + 1
end
for k = 1, streams do
  if wanted[k] > 0 and not missing then take(k, wanted[k]) end
end
local upTo = 0
for k = 1, streams do
  local room = math.min(left, ARGV[4 + k] - upTo - #got[k] + 2)
  if room > 0 and not dry[k] and not missing then take(k, room) end
  upTo = upTo + #got[k] - 2
end
-- What was taken before a stream turned out to be missing has to be handled.
if missing and left == n then return {'nogroup', -1} end

if interval and left < n then
  conform = conform + (n - left) * interval
  redis.call('SET', KEYS[2], int(math.ceil(conform)), 'PX', math.ceil((conform - now) / 1000) + 1000)
end
local result, any = {'', -1}, missing
for k = 1, streams do
  local last
  if left == n or streams > 1 and not dry[k] then
    local groups = redis.pcall('XINFO', 'GROUPS', KEYS[k + 2])
    for _, g in ipairs(groups.err and {} or groups) do
      if get(g, 'name') == ARGV[1] then last = get(g, 'last-delivered-id') end
    end
  end
  got[k][1] = last or ''
  if last and streams > 1 and not dry[k] then
    got[k][2] = #redis.call('XRANGE', KEYS[k + 2], '(' .. last, '+', 'COUNT', 1)
    any = any or got[k][2] == 1
  end
  result[#result + 1] = got[k]
end
if left == n and not any then result[1] = 'empty' end
return result
