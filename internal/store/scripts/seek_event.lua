-- Finds the first entry of an index behind a position of the log. The ids in it ascend.
-- KEYS  1 index
-- ARGV  1 position
-- Returns how many entries of the index are not behind it
local low, high = 0, redis.call('LLEN', KEYS[1])
while low < high do
  local middle = math.floor((low + high) / 2)
  if before(ARGV[1], redis.call('LINDEX', KEYS[1], middle)) then high = middle else low = middle + 1 end
end
return low
