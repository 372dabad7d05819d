-- Dead-letters messages, if the consumer still owns them.
-- Those that expired are counted, each once.
-- KEYS  1 stream, 2 workers, 3 base, 4 order, 5 unique, 6 meta, 7 dead
-- ARGV  1 group, 2 consumer, 3… for each: id, reason, failed attempts, error, the epoch
--       it believes in (see done.lua)
-- Returns {epoch now or "", id that was lost, …}
local q = queue(KEYS, 3)
local expired = 0
settle_always(KEYS[2])
local epoch = redis.call('HGET', KEYS[2], ARGV[2])
local result = {epoch or ''}
-- What stands in a topic stays there: only the pending list tells whether it was
-- settled before and the reply was lost.
local sure = ARGV[1] == 'leanmq' and epoch
for i = 3, #ARGV, 5 do
  local id = ARGV[i]
  local fields = (sure == ARGV[i + 4] or owned(KEYS[1], ARGV[1], ARGV[2], id)) and read(KEYS[1], id)
  if fields then
    if ARGV[i + 1] == 'expired' then expired = expired + 1 end
    local failed = tonumber(ARGV[i + 2]) > (tonumber(get(fields, 'a') or '') or 0)
    bury(q, KEYS[1], ARGV[1], KEYS[7], id, fields, ARGV[i + 1], ARGV[i + 3], ARGV[i + 2], failed and ARGV[2] or nil)
  else
    result[#result + 1] = id
  end
end
if expired > 0 then redis.call('HINCRBY', q.meta, 'expired', expired) end
return result
