-- Checks that there is room for a message, or that it is no duplicate. It is called for
-- each message of a queue for which one of them asks, in the order of the sends.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6… dedupe keys
-- ARGV  1 most messages waiting or 0, 2 unique key or "", 3 id of the message that the
--       transaction ends and that may hold the unique key, or "", 4 "1" if the message
--       must be new
-- Refuses with {"full", messages waiting} or {"dup", id of the first, "" if it is one of
-- this transaction}
local q, unique, first = queue(KEYS, 1), ARGV[2], nil
local held = KEYS[3] .. ':' .. unique
for i = 6, #KEYS do first = first or taken[KEYS[i]] or redis.call('GET', KEYS[i]) end
if unique ~= '' then
  local holder = redis.call('HGET', KEYS[3], unique)
  first = first or taken[held] or holder ~= ARGV[3] and holder
end
if first then
  if ARGV[4] == '1' then refused = {'dup', first} end
  return
end
for i = 6, #KEYS do taken[KEYS[i]] = '' end
if unique ~= '' then taken[held] = '' end
local n, limit = added[q.base] or 0, tonumber(ARGV[1])
added[q.base] = n + 1
if limit > 0 then
  n = n + waiting(q, KEYS[5])
  if n >= limit then refused = {'full', int(n)} end
end
