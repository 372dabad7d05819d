-- Removes a periodic job. Messages that it has enqueued stay.
-- KEYS  1 delayed, 2 periodic
-- ARGV  1 name
-- Returns 1, or 0 when there was none
redis.call('ZREM', KEYS[1], tick_prefix .. ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])
