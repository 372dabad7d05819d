-- Takes an entry that no consumer was given out of the stream, as if it had been
-- handled, but without a result.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 stream
-- ARGV  1 id
-- Returns 1, or 0 when it is not there.
local q = queue(KEYS, 1)
local fields = read(KEYS[5], ARGV[1])
if not fields then return 0 end
redis.call('XDEL', KEYS[5], ARGV[1])
finish_fields(q, ARGV[1], amend(fields, {}, {o = true}))
return 1
