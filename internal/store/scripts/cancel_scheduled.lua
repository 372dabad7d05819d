-- Deletes a scheduled message.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies
-- ARGV  1 message id
-- Returns 1, or 0 when no such message is scheduled (any more)
return cancel_scheduled(queue(KEYS, 1), KEYS[5], KEYS[6], ARGV[1]) and 1 or 0
