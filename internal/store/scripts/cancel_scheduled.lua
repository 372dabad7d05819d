-- Deletes a scheduled message.
-- KEYS  1 delayed, 2 bodies
-- ARGV  1 message id
-- Returns 1, or 0 when no such message is scheduled (any more)
if not scheduled(KEYS[2], ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
