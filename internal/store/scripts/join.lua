-- Makes a consumer part of the queue's group, creating both if need be. The
-- group starts at 0, so that what was sent before it existed is delivered.
-- KEYS  1 stream, 2 workers, 3 base, 4 order, 5 unique, 6 meta
-- ARGV  1 group, 2 consumer, 3 level of the stream or "", 4 channel, 5 queue name
-- Returns the consumer's epoch: any takeover of its messages changes it.
settle_always(KEYS[2])
if ARGV[3] ~= '' then know_level(queue(KEYS, 3), ARGV[3], ARGV[4], ARGV[5]) end
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
