-- Writes routes into the route table, if nobody changed it since it was read.
-- KEYS  1 routes (hash: route -> owner; "@version" counts the changes)
-- ARGV  1 channel, 2 the version that was read, 3… pairs of route and owner
--       ("" as owner removes the route)
-- Returns 1, or 0 when the table is a newer one: read it and try again.
local version = redis.call('HGET', KEYS[1], '@version') or '0'
if version ~= ARGV[2] then return 0 end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
redis.call('HINCRBY', KEYS[1], '@version', 1)
redis.call('PUBLISH', ARGV[1], 'routes')
return 1
