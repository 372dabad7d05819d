-- Takes a unique key from a message that the transaction ends, before it sends the next
-- one with it.
-- KEYS  1 unique
-- ARGV  1 unique key, 2 id of the message
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
