-- Sends one message of the normal level now: once, or in order. What needs more is
-- left to send.lua, what has an id to be sent once by, and nothing else, to dedupe.lua.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5… dedupe keys: the send is refused while
--       one of them is there
-- ARGV  1 ordering key, 2 unique key, 3 id ("" = none, for each), 4 the id of a
--       message without one that has to wait in order, 5… the window of each dedupe
--       key in ms, then the fields
-- Returns {"ok", id} | {"dup", id of the first}
local key, unique, id, at = ARGV[1], ARGV[2], ARGV[3], #KEYS + 1
for i = 5, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if first then return {'dup', first} end
end
if unique ~= '' then
  local first = redis.call('HGET', KEYS[3], unique)
  if first then return {'dup', first} end
end
if key == '' or redis.call('HSETNX', KEYS[2], key, 1) == 1 then
  local entry = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at))
  if id == '' then id = entry end
else
  local fields = {unpack(ARGV, at)}
  if id == '' then id = ARGV[4] end
  block(queue(KEYS, 1), key, amend(fields, {i = id, t = get(fields, 't') or int(now_ms())}))
end
if unique ~= '' then redis.call('HSET', KEYS[3], unique, id) end
for i = 5, #KEYS do redis.call('SET', KEYS[i], id, 'PX', ARGV[i]) end
return {'ok', id}
