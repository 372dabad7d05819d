-- Takes over messages whose lease has run out, and dead-letters those that
-- were delivered too often without any worker living to settle them.
-- KEYS  1 stream, 2 workers, 3 base, 4 order, 5 unique, 6 meta, 7 dead; of a topic's
--       group also 8 the topic
-- ARGV  1 group, 2 consumer, 3 lease in ms, 4 most to take,
--       5 most deliveries or 0; with a topic also 6 its group
-- It takes no more than the limit of messages in flight has room for.
-- Returns {number dead-lettered, {id, fields, deliveries}, …}
local q = queue(KEYS, 3)
local stale = redis.pcall('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4])
if stale.err then return redis.error_reply(stale.err) end
if #stale == 0 then return {0} end
local n = #stale
local running = redis.call('HGET', q.meta, 'running')
if running then -- see take.lua: those handed back, and those of the dead, are to run again
  local function count(stream, group)
    local p = redis.pcall('XPENDING', stream, group)
    local idle = p.err and {} or redis.call('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', p[1] + 1)
    if not p.err then running = running - p[1] + #idle end
  end
  for _, stream in ipairs(streams(q)) do count(stream, 'leanmq') end
  if KEYS[8] then count(KEYS[8], ARGV[6]) end
  n = math.min(n, math.max(running, 0))
end
if n == 0 then return {0} end
settle_always(KEYS[2])
local most = tonumber(ARGV[5])
local result = {0}
local released = false
for i = 1, n do
  local id, owner, deliveries = stale[i][1], stale[i][2], stale[i][4]
  local worn = most > 0 and deliveries >= most
  -- The owner may still be running it, and be the one that buries it: from here on it
  -- has to look before it settles (done.lua).
  if (worn or owner ~= ARGV[2]) and redis.call('HEXISTS', KEYS[2], owner) == 1 then
    redis.call('HINCRBY', KEYS[2], owner, 1)
  end
  released = released or owner == 'released'
  local fields = read(KEYS[1], id)
  if not fields then -- deleted by hand
    redis.call('XACK', KEYS[1], ARGV[1], id)
  elseif worn then
    bury(q, KEYS[1], ARGV[1], KEYS[7], id, fields, 'crashed',
      'delivered ' .. deliveries .. ' times without being settled, last to ' .. owner,
      get(fields, 'a') or '0', owner)
    result[1] = result[1] + 1
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
    result[#result + 1] = {id, fields, deliveries + 1}
  end
end
if released then forget_released(KEYS[1], ARGV[1]) end
return result
