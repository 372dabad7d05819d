-- Checks that a dead letter is there.
-- KEYS  1 dead
-- ARGV  1 its entry
-- Refuses with {}
if not read(KEYS[1], ARGV[1]) then refused = {} end
