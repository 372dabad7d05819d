-- Makes a consumer part of the queue's group, creating both if need be. The
-- group starts at 0, so that what was sent before it existed is delivered.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer
-- Returns the consumer's epoch: any takeover of its messages changes it.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return redis.error_reply(made.err)
end
redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
local epoch = redis.call('HGET', KEYS[2], ARGV[2])
if not epoch then
  local t = redis.call('TIME')
  epoch = t[1] .. string.format('%06d', t[2])
  redis.call('HSET', KEYS[2], ARGV[2], epoch)
end
return epoch
