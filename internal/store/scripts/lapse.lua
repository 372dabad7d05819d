-- Hands back messages whose lease has run out, as release.lua does, without anybody
-- taking them over: those of a worker that died must not look as if somebody handled
-- them while the queue is paused. Their deliveries stay counted.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 lease in ms, 3 idle time to set in ms, 4 most of each consumer
-- Returns how many were handed back.
local all = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if all.err then return 0 end
local n = 0
for _, c in ipairs(all) do
  local owner = get(c, 'name')
  if owner ~= 'released' and get(c, 'pending') > 0 then
    local stale = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[2], '-', '+', ARGV[4], owner)
    -- The owner may still be running them: see reclaim.lua.
    if #stale > 0 and redis.call('HEXISTS', KEYS[2], owner) == 1 then
      redis.call('HINCRBY', KEYS[2], owner, 1)
    end
    for _, p in ipairs(stale) do
      if read(KEYS[1], p[1]) then
        redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, p[1],
          'IDLE', ARGV[3], 'RETRYCOUNT', p[4], 'JUSTID')
        n = n + 1
      else
        redis.call('XACK', KEYS[1], ARGV[1], p[1])
      end
    end
  end
end
return n
