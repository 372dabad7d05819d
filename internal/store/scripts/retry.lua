-- Puts failed messages aside until their next attempt, if the consumer still
-- owns them.
-- KEYS  1 stream, 2 workers, 3 delayed, 4 bodies
-- ARGV  1 group, 2 consumer, 3 channel, 4 queue name,
--       5… for each: id, delay in ms, failed attempts so far, error, the epoch it
--       believes in (see done.lua)
-- Returns {epoch now or "", id that was lost, …}
settle_always(KEYS[2])
local epoch = redis.call('HGET', KEYS[2], ARGV[2])
local result = {epoch or ''}
local now = now_ms()
local at = int(now)
local moved, tokens, due = {}, {}, {} -- due: pairs of due time and token
for i = 5, #ARGV, 5 do
  local id = ARGV[i]
  local fields = (epoch == ARGV[i + 4] or owned(KEYS[1], ARGV[1], ARGV[2], id)) and read(KEYS[1], id)
  if fields then
    local set = identity(fields, id)
    set.a, set.e, set.l = ARGV[i + 2], ARGV[i + 3], at
    set.f = get(fields, 'f') or at
    set.h = remember(fields, tonumber(set.a), at, ARGV[2], set.e)
    tokens[#tokens + 1] = keep(KEYS[4], set.i, amend(fields, set), entry_name(fields, id))
    moved[#moved + 1] = id
    due[#due + 1], due[#due + 2] = int(now + tonumber(ARGV[i + 1])), tokens[#tokens]
  else
    result[#result + 1] = id
  end
end
if #moved > 0 then
  redis.call('ZADD', KEYS[3], unpack(due))
  announce(KEYS[3], tokens, ARGV[3], ARGV[4])
  redis.call('XACK', KEYS[1], ARGV[1], unpack(moved))
  redis.call('XDEL', KEYS[1], unpack(moved))
end
return result
