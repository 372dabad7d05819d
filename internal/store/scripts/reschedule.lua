-- Moves a scheduled message to another time.
-- KEYS  1 delayed, 2 bodies
-- ARGV  1 channel, 2 queue name, 3 message id, 4 due time in ms
-- Returns 1, or 0 when no such message is scheduled (any more)
if not scheduled(KEYS[2], ARGV[3]) then return 0 end
put(KEYS[1], ARGV[3], tonumber(ARGV[4]), ARGV[1], ARGV[2])
return 1
