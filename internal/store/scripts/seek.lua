-- Moves a group of a topic to another position. What it has in flight after that comes
-- again, and whoever has it cannot settle it any more. What became the group's own
-- before (retries, what waits in lanes, dead letters) stays.
-- KEYS  1 topic, 2 its meta, 3 the group's workers, 4 its meta
-- ARGV  1 group, 2 the entry that it goes on after, or "$" for the last one,
--       3 channel, 4 queue name
-- Returns {1}, {"nogroup", name of each group, …}, or what not_there returns
local group, id, known, names = ARGV[1], ARGV[2], false, {'nogroup'}
for _, g in ipairs(groups_of(KEYS[1])) do
  known = known or g.name == group
  names[#names + 1] = g.name
end
if not known then return names end
local wrong = id ~= '$' and not_there(KEYS[1], KEYS[2], id)
if wrong then return wrong end
settle_always(KEYS[4])
local owners = {}
while id ~= '$' do
  local pending = redis.call('XPENDING', KEYS[1], group, after(id), '+', 500)
  for _, p in ipairs(pending) do
    -- From here on the owner has to look before it settles (done.lua).
    if not owners[p[2]] and redis.call('HEXISTS', KEYS[3], p[2]) == 1 then
      redis.call('HINCRBY', KEYS[3], p[2], 1)
    end
    owners[p[2]] = true
    redis.call('XACK', KEYS[1], group, p[1])
  end
  if #pending < 500 then break end
end
local moved = redis.pcall('XGROUP', 'SETID', KEYS[1], group, id)
if moved.err and string.find(moved.err, 'not supported', 1, true) then -- miniredis
  local pending = redis.call('XPENDING', KEYS[1], group, '-', '+', 100000)
  local consumers = redis.call('XINFO', 'CONSUMERS', KEYS[1], group)
  redis.call('XGROUP', 'DESTROY', KEYS[1], group)
  redis.call('XGROUP', 'CREATE', KEYS[1], group, id)
  for _, c in ipairs(consumers) do redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], group, get(c, 'name')) end
  for _, p in ipairs(pending) do
    redis.call('XCLAIM', KEYS[1], group, p[2], 0, p[1], 'IDLE', p[3], 'RETRYCOUNT', p[4], 'FORCE', 'JUSTID')
  end
elseif moved.err then
  return redis.error_reply(moved.err)
end
redis.call('HINCRBY', KEYS[4], '@version', 1)
redis.call('PUBLISH', ARGV[3], 'control ' .. ARGV[4])
return {1}
