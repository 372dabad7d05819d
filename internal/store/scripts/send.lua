-- Sends one message that needs more than a plain XADD: later, once, in order, with
-- a priority, or only if there is room.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies,
--       7… dedupe keys: the send is refused while one of them is there
-- ARGV  1 channel, 2 queue name, 3 group, 4 delay in ms or -1, 5 due time in ms
--       or -1, 6 most messages waiting or 0, 7 the id of a message that needs one
--       of its own, or the token of a delayed one whose id is taken, 8… the window
--       of each dedupe key in ms, then the fields
-- Returns {"ok", id} | {"dup", id of the first} | {"full", messages waiting}
local q = queue(KEYS, 1)
local delay, due, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for i = 7, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if first then return {'dup', first} end
end
local fields = {}
for i = #KEYS + 2, #ARGV do fields[#fields + 1] = ARGV[i] end
local unique = get(fields, 'q')
if unique then
  local first = redis.call('HGET', q.unique, unique)
  if first then return {'dup', first} end
end
if limit > 0 then
  local n = waiting(q, KEYS[5])
  if n >= limit then return {'full', int(n)} end
end
local level = get(fields, 'y')
if level then
  if know_level(q, level, ARGV[1], ARGV[2]) then
    redis.pcall('XGROUP', 'CREATE', q.base .. ':p' .. level, ARGV[3], '0', 'MKSTREAM')
  end
end
local now = now_ms()
if delay >= 0 then due = now + delay end
local id = get(fields, 'i') or ARGV[7]
if due >= 0 then
  fields = amend(fields, {i = id, t = int(now)})
  schedule(KEYS[5], KEYS[6], id, fields, due, ARGV[1], ARGV[2], ARGV[7])
elseif get(fields, 'k') then
  enqueue(q, amend(fields, {i = id, t = get(fields, 't') or int(now)}))
else
  id = id_of(fields, append(q, fields))
end
if unique then redis.call('HSET', q.unique, unique, id) end
for i = 7, #KEYS do redis.call('SET', KEYS[i], id, 'PX', ARGV[i + 1]) end
return {'ok', id}
