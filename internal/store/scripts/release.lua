-- Hands back what the consumer owns. The messages go to the consumer "released"
-- with their lease run out, so that any worker's next reclaim takes them, and
-- are not counted as delivered.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer, 3 idle time to set in ms, 4 channel, 5 queue name,
--       6… ids; without any, everything, and the consumer leaves the group
-- Returns how many were handed back.
local n = 0
local function hand_back(p)
  local id, deliveries = p[1], math.max(p[4] - 1, 0)
  if read(KEYS[1], id) then
    redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, id,
      'IDLE', ARGV[3], 'RETRYCOUNT', deliveries, 'JUSTID')
    n = n + 1
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
  end
end
if #ARGV > 5 then
  for i = 6, #ARGV do
    local p = owned(KEYS[1], ARGV[1], ARGV[2], ARGV[i])
    if p then hand_back(p) end
  end
else
  while true do
    local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 500, ARGV[2])
    if mine.err then return n end -- the group is gone, and with it its consumers
    if #mine == 0 then break end
    for _, p in ipairs(mine) do hand_back(p) end
  end
  -- DELCONSUMER throws away what is pending, hence only here, where nothing is.
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  redis.call('HDEL', KEYS[2], ARGV[2])
end
if n > 0 then redis.call('PUBLISH', ARGV[4], 'released ' .. ARGV[5]) end
return n
