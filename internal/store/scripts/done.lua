-- Acknowledges and deletes messages, if the consumer still owns them. What stands in
-- a topic stays there, for its other groups: so it is wherever the group is not
-- "leanmq".
--
-- Every takeover (reclaim.lua) changes the epoch of the consumer it takes from,
-- so an unchanged epoch proves that all of them are still its own: one HGET
-- fences the whole batch. After a takeover each message is looked up.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer, 3 the epoch it believes in, 4… ids
-- Returns {epoch now or "", id that was lost, …}
local epoch = redis.call('HGET', KEYS[2], ARGV[2])
if epoch == ARGV[3] then
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 4))
  if ARGV[1] == 'leanmq' then redis.call('XDEL', KEYS[1], unpack(ARGV, 4)) end
  return {epoch}
end
local result = {epoch or ''}
for i = 4, #ARGV do
  if owned(KEYS[1], ARGV[1], ARGV[2], ARGV[i]) then
    take_out(KEYS[1], ARGV[1], ARGV[i])
  else
    result[#result + 1] = ARGV[i]
  end
end
return result
