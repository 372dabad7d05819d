-- Renews the lease of who runs a projection, and notes how it fares.
-- KEYS  1 projection
-- ARGV  1 owner, 2 epoch, 3 lease in ms (0 gives it up), 4… pairs of field and value
-- Returns 1, or 0 when another one runs it
local p = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if p[1] ~= ARGV[1] or p[2] ~= ARGV[2] then return 0 end
settle_always(KEYS[1])
redis.call('HSET', KEYS[1], 'until', int(now_ms() + ARGV[3]), unpack(ARGV, 4))
if ARGV[3] == '0' then redis.call('HDEL', KEYS[1], 'owner') end
return 1
