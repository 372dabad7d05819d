-- Puts failed messages aside until their next attempt, if the consumer still
-- owns them.
-- KEYS  1 stream, 2 workers, 3 delayed, 4 bodies
-- ARGV  1 group, 2 consumer, 3 channel, 4 queue name,
--       5… for each: id, delay in ms, failed attempts so far, error
-- Returns {epoch now or "", id that was lost, …}
settle_always(KEYS[2])
local level = string.sub(KEYS[1], #KEYS[3] - #'delayed') -- entries of two levels may have the same id
local result = {redis.call('HGET', KEYS[2], ARGV[2]) or ''}
for i = 5, #ARGV, 4 do
  local id = ARGV[i]
  local fields = owned(KEYS[1], ARGV[1], ARGV[2], id) and read(KEYS[1], id)
  if fields then
    local now = now_ms()
    local set = identity(fields, id)
    set.a, set.e, set.l = ARGV[i + 2], ARGV[i + 3], int(now)
    set.f = get(fields, 'f') or int(now)
    schedule(KEYS[3], KEYS[4], id .. level, amend(fields, set), now + tonumber(ARGV[i + 1]), ARGV[3], ARGV[4])
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  else
    result[#result + 1] = id
  end
end
return result
