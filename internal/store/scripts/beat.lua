-- Makes a process one of the members that share the partitions of a queue out, for
-- a time, and throws out those whose time is over.
-- KEYS  1 record (hash), 2 members (zset by the time in ms when they count as gone)
--       The second one's name is also that of a channel, which tells of changes.
-- ARGV  1 member, 2 number of partitions, 3 ms to stay a member, 4 the version of
--       the members that it knows
-- Returns {number of partitions} when that is another one, and does nothing;
-- else {number, version} when the version is the known one, or {number, version,
-- member, …}.
settle_always(KEYS[1])
redis.call('HSETNX', KEYS[1], 'n', ARGV[2])
local n = redis.call('HGET', KEYS[1], 'n')
if n ~= ARGV[2] then return {n} end
local now = now_ms()
local came = redis.call('ZADD', KEYS[2], int(now + ARGV[3]), ARGV[1])
local went = redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', int(now))
-- With the last one: then nobody is left to throw it out.
redis.call('PEXPIREAT', KEYS[2], int(tonumber(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2])))
if came + went > 0 then members_change(KEYS[1], KEYS[2]) end
local version = redis.call('HGET', KEYS[1], 'version') or '0'
local result = {n, version}
if version ~= ARGV[4] then
  for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    result[#result + 1] = member
  end
end
return result
