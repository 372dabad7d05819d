-- Acknowledges and deletes messages that have expired, if the consumer still owns
-- them, and counts them, each once: a repetition finds them lost.
-- KEYS  1 stream, 2 workers, 3 meta
-- ARGV  1 group, 2 consumer, 3… ids
-- Returns {epoch now or "", id that was lost, …}
local result = {redis.call('HGET', KEYS[2], ARGV[2]) or ''}
local mine = {}
for i = 3, #ARGV do
  if owned(KEYS[1], ARGV[1], ARGV[2], ARGV[i]) then
    mine[#mine + 1] = ARGV[i]
  else
    result[#result + 1] = ARGV[i]
  end
end
if #mine > 0 then
  redis.call('HINCRBY', KEYS[3], 'expired', #mine)
  redis.call('XACK', KEYS[1], ARGV[1], unpack(mine))
  redis.call('XDEL', KEYS[1], unpack(mine))
end
return result
