-- Deletes a queue with all its keys. Periodic jobs are no messages: they go with it.
-- KEYS  1 stream, 2 dead, 3 delayed, 4 bodies, 5 workers, 6 meta, 7 periodic
-- ARGV  1 "1" to delete it with messages in it
-- Returns the number of messages that kept it from being deleted: 0 = deleted.
if ARGV[1] ~= '1' then
  local n = redis.call('XLEN', KEYS[1]) + redis.call('XLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3])
    - redis.call('HLEN', KEYS[7])
  if n > 0 then return n end
end
redis.call('DEL', unpack(KEYS))
return 0
