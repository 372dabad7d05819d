-- Deletes a topic.
-- KEYS  1 topic, 2 its meta
-- ARGV  1 "1" to delete it with messages in it
-- Returns {number of messages that kept it from being deleted, name of each group that
-- did, …}: {0} = deleted.
local result = {0}
for _, g in ipairs(groups_of(KEYS[1])) do result[#result + 1] = g.name end
if ARGV[1] ~= '1' then result[1] = redis.call('XLEN', KEYS[1]) end
if result[1] == 0 and #result == 1 then redis.call('DEL', KEYS[1], KEYS[2]) end
return result
