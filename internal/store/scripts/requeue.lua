-- Sends dead letters again, oldest first, each exactly once: a new life with
-- the same id, payload and headers, without the failures and without a caller
-- who waits for a reply.
-- KEYS  1 dead, 2 stream
-- ARGV  1 first id, 2 last id, 3 most to move
-- Returns {number moved, id of the last one moved or ""}
local drop = {a = true, e = true, f = true, h = true, l = true, t = true, w = true, r = true, c = true}
local letters = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local last = ''
for _, letter in ipairs(letters) do
  last = letter[1]
  redis.call('XADD', KEYS[2], '*', unpack(amend(letter[2], {}, drop)))
  redis.call('XDEL', KEYS[1], last)
end
return {#letters, last}
