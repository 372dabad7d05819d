-- Makes a process the one that runs a projection, if no other one does.
-- KEYS  1 projection, 2 projections
-- ARGV  1 owner, unique to a run, 2 lease in ms, 3 name
-- Returns {1, epoch, position, events handled until there} | {0, ms that the other one's
-- lease lasts}. The epoch grows with each change of the owner.
local p = redis.call('HMGET', KEYS[1], 'owner', 'until', 'epoch', 'position', 'handled', 'lease')
local now = now_ms()
local ends, most = tonumber(p[2] or 0), now + (p[6] or ARGV[2])
if p[1] and ends > most then -- the clock was set back
  settle_always(KEYS[1])
  redis.call('HSET', KEYS[1], 'until', int(most))
  ends = most
end
if p[1] and p[1] ~= ARGV[1] and ends > now then return {0, int(ends - now)} end
local epoch = p[3] or '0'
if p[1] ~= ARGV[1] then epoch = int(epoch + 1) end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', int(now + ARGV[2]), 'lease', ARGV[2],
  'epoch', epoch)
redis.call('SADD', KEYS[2], ARGV[3])
return {1, epoch, p[4] or '', p[5] or '0'}
