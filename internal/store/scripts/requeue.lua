-- Sends dead letters again, oldest first, each exactly once: a new life with
-- the same id, payload and headers, without the failures and without a caller
-- who waits for a reply.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 dead
-- ARGV  1 first id, 2 last id, 3 most to move
-- Returns {number moved, id of the last one moved or ""}
local drop = {a = true, e = true, f = true, h = true, l = true, t = true, w = true, r = true, c = true}
local q = queue(KEYS, 1)
local letters = redis.call('XRANGE', KEYS[5], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local last = ''
settle_always(q.meta)
for _, letter in ipairs(letters) do
  last = letter[1]
  local fields = amend(letter[2], {}, drop)
  local unique = get(fields, 'q')
  -- The unique key may have a new holder: then this message goes without it.
  if unique and redis.call('HSETNX', q.unique, unique, get(fields, 'i') or last) == 0 then
    fields = amend(fields, {}, {q = true})
  end
  enqueue(q, fields)
  redis.call('XDEL', KEYS[5], last)
end
return {#letters, last}
