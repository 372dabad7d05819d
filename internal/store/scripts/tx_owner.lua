-- Checks that the consumer still owns a message. An unchanged epoch (done.lua) does not
-- tell that nobody has settled it, as a commit whose reply was lost may have.
-- KEYS  1 stream
-- ARGV  1 group, 2 consumer, 3 entry, 4 "1" if what is in it is needed
-- Refuses with {}
if not owned(KEYS[1], ARGV[1], ARGV[2], ARGV[3]) or ARGV[4] == '1' and not read(KEYS[1], ARGV[3]) then
  refused = {}
end
