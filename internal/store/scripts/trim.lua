-- Takes what a topic's retention does not keep from its beginning, a piece of it.
--
-- Settings, in the topic's meta: age (ms): what is older goes; length: what is more
-- goes; done: what every group is done with goes, if there are groups. What some group
-- is not done with stays, unless drop is set: then it is counted for the group. All
-- before "trimmed" is gone. Nothing goes where "events" is set: an event store needs all.
-- KEYS  1 topic, 2 its meta, 3 what its groups' keys begin with
-- ARGV  1 ms since the last look at least
-- Returns {how many it took, 1 if there may be more to take, {group, how many it was
-- not done with}, …}
local s = redis.call('HMGET', KEYS[2], 'age', 'length', 'done', 'drop', 'looked', 'events')
if not s[1] and not s[2] and not s[3] or s[6] then return {0, 0} end
local now = now_ms()
if tonumber(s[5] or 0) > now - ARGV[1] and tonumber(s[5] or 0) <= now then return {0, 0} end
settle_always(KEYS[2])
redis.call('HSET', KEYS[2], 'looked', int(now))

local groups, undone = groups_of(KEYS[1]), nil -- undone: the first one some group is not done with
for _, g in ipairs(groups) do
  if not undone or before(g.undone, undone) then undone = g.undone end
end
local keep -- the first one that stays
local function take_before(id)
  if not keep or before(keep, id) then keep = id end
end
if s[1] then take_before(int(math.max(now - s[1], 0)) .. '-0') end
if s[3] and undone then take_before(undone) end
local excess = s[2] and redis.call('XLEN', KEYS[1]) - s[2] or 0
if excess > 0 then
  local n = math.min(excess, 100) -- they are read, however large they are
  local found = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', n + 1)
  take_before(found[n + 1] and found[n + 1][1] or after(found[n][1]))
end
if not keep then return {0, 0} end

local dropping = undone and before(undone, keep)
if dropping and not s[4] then keep, dropping = undone, false end
if not dropping then
  local last = redis.call('XREVRANGE', KEYS[1], '(' .. keep, '-', 'COUNT', 1)[1]
  if not last then return {0, 0} end
  -- Whole nodes first, which is cheap, then the rest. "trimmed" ends where what is gone
  -- does, so that who has read just that much has missed nothing.
  local n = redis.call('XTRIM', KEYS[1], 'MINID', '~', keep, 'LIMIT', 1000)
  if n > 0 then
    local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local rest = first and before(first[1], keep)
    redis.call('HSET', KEYS[2], 'trimmed', rest and first[1] or after(last[1]))
    return {n, 1}
  end
  redis.call('HSET', KEYS[2], 'trimmed', after(last[1]))
  return {redis.call('XTRIM', KEYS[1], 'MINID', '=', keep), excess > 100 and 1 or 0}
end

local gone = redis.call('XRANGE', KEYS[1], '-', '(' .. keep, 'COUNT', 100)
if #gone == 0 then return {0, 0} end
local last = gone[#gone][1]
local result = {#gone, 1}
for _, g in ipairs(groups) do
  local dropped = 0
  for _, entry in ipairs(gone) do
    if before(g.last, entry[1]) then dropped = dropped + 1 end
  end
  for _, p in ipairs(redis.call('XPENDING', KEYS[1], g.name, '-', last, 1000)) do
    redis.call('XACK', KEYS[1], g.name, p[1])
    dropped = dropped + 1
  end
  if dropped > 0 then
    redis.call('HINCRBY', KEYS[3] .. g.name .. ':meta', 'dropped', dropped)
    result[#result + 1] = {g.name, dropped}
  end
end
redis.call('HSET', KEYS[2], 'trimmed', after(last))
redis.call('XTRIM', KEYS[1], 'MINID', '=', after(last))
-- Redis counts by entries read how many a group has not read.
local stream = redis.call('XINFO', 'STREAM', KEYS[1])
local added = get(stream, 'entries-added') -- not in miniredis, which does not count
for _, g in ipairs(added and groups or {}) do
  if before(g.last, last) then
    redis.call('XGROUP', 'SETID', KEYS[1], g.name, last, 'ENTRIESREAD', added - get(stream, 'length'))
  end
end
return result
