-- Changes settings of a queue and tells its consumers.
-- KEYS  1 meta
-- ARGV  1 channel, 2 queue name, 3… pairs of setting and value ("" removes it)
-- Returns 1, or 0 when all of them were so already.
local changed = 0
settle_always(KEYS[1])
for i = 3, #ARGV, 2 do
  local value = ARGV[i + 1]
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= value then
    changed = 1
    if value == '' then
      redis.call('HDEL', KEYS[1], ARGV[i])
    else
      redis.call('HSET', KEYS[1], ARGV[i], value)
    end
  end
end
if changed == 1 then
  redis.call('HINCRBY', KEYS[1], '@version', 1)
  redis.call('PUBLISH', ARGV[1], 'control ' .. ARGV[2])
end
return changed
