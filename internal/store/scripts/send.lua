-- Sends one message that needs more than a plain XADD: later, once, or only if
-- there is room.
-- KEYS  1 stream, 2 delayed, 3 bodies, 4 dedupe (ignored when window is 0), 5 periodic
-- ARGV  1 channel, 2 queue name, 3 delay in ms or -1, 4 due time in ms or -1,
--       5 most messages waiting or 0, 6 dedupe window in ms or 0,
--       7 token of a delayed message whose id is none, 8… fields
-- Returns {"ok", id} | {"dup", id of the first} | {"full", messages waiting}
local delay, due = tonumber(ARGV[3]), tonumber(ARGV[4])
local limit, window = tonumber(ARGV[5]), tonumber(ARGV[6])
if window > 0 then
  local first = redis.call('GET', KEYS[4])
  if first then return {'dup', first} end
end
if limit > 0 then
  local waiting = redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) - redis.call('HLEN', KEYS[5])
  if waiting >= limit then return {'full', int(waiting)} end
end
local fields = {}
for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
local now = now_ms()
if delay >= 0 then due = now + delay end
local id
if due >= 0 then
  id = get(fields, 'i') or ARGV[7]
  fields = amend(fields, {i = id, t = int(now)})
  schedule(KEYS[2], KEYS[3], id, fields, due, ARGV[1], ARGV[2], ARGV[7])
else
  local entry = redis.call('XADD', KEYS[1], '*', unpack(fields))
  id = get(fields, 'i') or entry
end
if window > 0 then redis.call('SET', KEYS[4], id, 'PX', ARGV[6]) end
return {'ok', id}
