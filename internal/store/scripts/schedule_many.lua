-- Puts aside messages that are all due at the same time.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies
-- ARGV  1 channel, 2 queue name, 3 delay in ms or -1, 4 due time in ms,
--       5 most messages waiting or 0, 6… for each: id, packed fields without i and t
-- Returns {how many there was room for, messages waiting}
local n, there = (#ARGV - 5) / 2, 0
local limit, due = tonumber(ARGV[5]), tonumber(ARGV[4])
if limit > 0 then
  there = waiting(queue(KEYS, 1), KEYS[5])
  n = math.max(math.min(n, limit - there), 0)
  there = there + n
end
if n == 0 then return {0, int(there)} end
local now = now_ms()
if tonumber(ARGV[3]) >= 0 then due = now + tonumber(ARGV[3]) end
local score, created = int(due), pack({'t', int(now)})
local bodies, tokens = {}, {}
for i = 1, n do
  local id = ARGV[4 + 2 * i]
  bodies[2 * i - 1], bodies[2 * i] = id, ARGV[5 + 2 * i] .. pack({'i', id}) .. created
  tokens[2 * i - 1], tokens[2 * i] = score, id
end
redis.call('HSET', KEYS[6], unpack(bodies))
redis.call('ZADD', KEYS[5], unpack(tokens))
-- One of them is the next one due, if any is.
if tonumber(redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]) == due then
  redis.call('PUBLISH', ARGV[1], 'due ' .. ARGV[2])
end
return {n, int(there)}
