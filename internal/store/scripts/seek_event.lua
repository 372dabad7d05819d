-- Finds the first entry of an index behind a position of the log. The ids in it ascend.
-- KEYS  1 index
-- ARGV  1 ms and 2 number of the position's id
-- Returns how many entries of the index are before it
local ms, seq = tonumber(ARGV[1]), tonumber(ARGV[2])
local low, high = 0, redis.call('LLEN', KEYS[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  local m, s = string.match(redis.call('LINDEX', KEYS[1], middle), '^(%d+)-(%d+)$')
  m, s = tonumber(m), tonumber(s)
  if m > ms or m == ms and s > seq then high = middle else low = middle + 1 end
end
return low
