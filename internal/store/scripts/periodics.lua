-- Lists the periodic jobs of a queue as they are at one moment.
-- KEYS  1 delayed, 2 periodic
-- ARGV  names; without any, all
-- Returns {now in ms, name, record, next tick in ms or "", …}
local names = #ARGV > 0 and ARGV or redis.call('HKEYS', KEYS[2])
local result = {int(now_ms())}
for _, name in ipairs(names) do
  local record = redis.call('HGET', KEYS[2], name)
  if record then
    local due = redis.call('ZSCORE', KEYS[1], tick_prefix .. name)
    result[#result + 1] = name
    result[#result + 1] = record
    result[#result + 1] = due and int(tonumber(due)) or ''
  end
end
return result
