-- Renews the lease of messages, those that the consumer still owns.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer, 3… ids
-- Returns {epoch now or "", id that was lost, …}
local result = {redis.call('HGET', KEYS[2], ARGV[2]) or ''}
for i = 3, #ARGV do
  local id = ARGV[i]
  local p = owned(KEYS[1], ARGV[1], ARGV[2], id)
  if p then
    -- RETRYCOUNT: a renewal is not a delivery.
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', p[4], 'JUSTID')
  else
    result[#result + 1] = id
  end
end
return result
