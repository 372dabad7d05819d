-- Counts entries of a stream.
-- KEYS  1 stream
-- ARGV  1 the id after which it begins, 2 the last id, 3 most to count
-- Returns {how many, id of the last one counted or ""}
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])
return {#found, #found > 0 and found[#found][1] or ''}
