-- Deletes a queue with all its keys. Periodic jobs are no messages: they go with it.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 dead, 7… the others; of a
--       topic's group the last one is the topic, which stays
-- ARGV  1 "1" to delete it with messages in it, 2 name of the topic's group or ""
-- Returns the number of messages that kept it from being deleted: 0 = deleted.
local q = queue(KEYS, 1)
local group, others = ARGV[2], ARGV[2] ~= '' and #KEYS - 1 or #KEYS
if ARGV[1] ~= '1' then
  local n = waiting(q, KEYS[5]) + redis.call('XLEN', KEYS[6])
  local in_flight = group ~= '' and redis.pcall('XPENDING', KEYS[#KEYS], group)
  if in_flight and not in_flight.err then n = n + in_flight[1] end
  if n > 0 then return n end
end
for level in string.gmatch(redis.call('HGET', q.meta, 'levels') or '', '.') do
  redis.call('DEL', q.base .. ':p' .. level)
end
for _, key in ipairs(redis.call('HKEYS', q.order)) do
  redis.call('DEL', q.order .. ':' .. key)
end
redis.call('DEL', unpack(KEYS, 1, others))
if group ~= '' then redis.pcall('XGROUP', 'DESTROY', KEYS[#KEYS], group) end
return 0
