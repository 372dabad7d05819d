-- Takes a process out of those that share the partitions of a queue out.
-- KEYS  1 record (hash), 2 members (zset)
-- ARGV  1 channel, 2 queue name, 3 member
-- Returns 1, or 0 when it was none.
settle_always(KEYS[1])
if not redis.call('ZSCORE', KEYS[2], ARGV[3]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('PUBLISH', ARGV[1], 'members ' .. ARGV[2])
return redis.call('ZREM', KEYS[2], ARGV[3])
