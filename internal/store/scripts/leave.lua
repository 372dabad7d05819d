-- Takes a process out of those that share the partitions of a queue out.
-- KEYS  1 record (hash), 2 members (zset)
--       The second one's name is also that of a channel, which tells of changes.
-- ARGV  1 member
-- Returns 1, or 0 when it was none.
settle_always(KEYS[1])
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
members_change(KEYS[1], KEYS[2])
return redis.call('ZREM', KEYS[2], ARGV[1])
