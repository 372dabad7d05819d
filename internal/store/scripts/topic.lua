-- Shows a topic and its groups, as they are at one moment.
-- KEYS  1 topic, 2 its meta
-- Returns {now in ms, length, first id or "", last id or "", age in ms, length, done,
-- drop (see trim.lua; "" where not set), {group, last entry delivered, first one that
-- it is not done with, pending, handed back, entries it has not read or -1 when they
-- have to be counted}, …}
local n = redis.call('XLEN', KEYS[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
first, last = first and first[1] or '', last and last[1] or ''
local result = {int(now_ms()), n, first, last}
local s = redis.call('HMGET', KEYS[2], 'age', 'length', 'done', 'drop')
for i = 1, 4 do result[4 + i] = s[i] or '' end
for _, g in ipairs(groups_of(KEYS[1])) do
  local lag = get(g.info, 'lag')
  if n == 0 or not before(g.last, last) then
    lag = 0
  elseif before(g.last, first) then
    lag = n
  elseif not lag or not get(g.info, 'entries-read') or lag < 0 or lag > n then -- also miniredis
    lag = -1
  end
  result[#result + 1] = {g.name, g.last, g.undone, g.pending, g.released, lag}
end
return result
