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
-- What stands in a topic stays there: only the pending list tells whether it was
-- settled before and the reply was lost.
local sure = ARGV[1] == 'leanmq' and epoch
local now = now_ms()
local at = int(now)
local moved, tokens, due = {}, {}, {} -- due: pairs of due time and token

-- What is written anew. The rest is packed as it is: in a queue where all fails this
-- is the busiest script.
local anew = {i = true, t = true, a = true, e = true, l = true, f = true, h = true}

local function aside(id, fields, attempts, err)
  local old, rest = {}, {}
  for i = 1, #fields, 2 do
    local name = fields[i]
    if anew[name] then
      old[name] = fields[i + 1]
    else
      if name == 'y' then old.y = fields[i + 1] end
      rest[#rest + 1] = name
      rest[#rest + 1] = fields[i + 1]
    end
  end
  local name = old.y and id .. '.p' .. old.y or id -- see entry_name
  local n = #rest
  rest[n + 1], rest[n + 2] = 'i', old.i or name
  rest[n + 3], rest[n + 4] = 't', old.t or string.match(id, '^%d+')
  rest[n + 5], rest[n + 6] = 'a', attempts
  rest[n + 7], rest[n + 8] = 'e', err
  rest[n + 9], rest[n + 10] = 'l', at
  rest[n + 11], rest[n + 12] = 'f', old.f or at
  rest[n + 13], rest[n + 14] = 'h', remember(old.h or '', tonumber(attempts), at, ARGV[2], err)
  return keep(KEYS[4], old.i or name, pack(rest), name)
end

for i = 5, #ARGV, 5 do
  local id = ARGV[i]
  local fields = (sure == ARGV[i + 4] or owned(KEYS[1], ARGV[1], ARGV[2], id)) and read(KEYS[1], id)
  if fields then
    local token = aside(id, fields, ARGV[i + 2], ARGV[i + 3])
    tokens[#tokens + 1], moved[#moved + 1] = token, id
    due[#due + 1], due[#due + 2] = int(now + tonumber(ARGV[i + 1])), token
  else
    result[#result + 1] = id
  end
end
if #moved > 0 then
  redis.call('ZADD', KEYS[3], unpack(due))
  announce(KEYS[3], tokens, ARGV[3], ARGV[4])
  take_out(KEYS[1], ARGV[1], unpack(moved))
end
return result
