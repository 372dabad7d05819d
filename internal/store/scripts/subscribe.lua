-- Makes a group of a topic, unless there is one with that name.
-- KEYS  1 topic, 2 its meta, 3 the group's meta
-- ARGV  1 group, 2 the entry that it begins after, or "$" for the last one, 3 its
--       filter: packed patterns, or "" to leave it
-- Returns {1}, {0} when there was one, {"gone", first, last} when what comes after
-- that entry was trimmed, {"ahead", first, last} when the topic has not come there.
local found = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for _, g in ipairs(found.err and {} or found) do
  if get(g, 'name') == ARGV[1] then return {0} end
end
settle_always(KEYS[2])
local wrong = ARGV[2] ~= '$' and not_there(KEYS[1], KEYS[2], ARGV[2])
if wrong then return wrong end
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[3], 'types', ARGV[3])
  redis.call('HINCRBY', KEYS[3], '@version', 1)
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
return {1}
