-- Removes consumers that are long gone and own nothing.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 idle time in ms after which a consumer counts as gone
-- Returns how many were removed.
local all = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if all.err then return 0 end
local n = 0
for _, c in ipairs(all) do
  if get(c, 'pending') == 0 and get(c, 'idle') > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], get(c, 'name'))
    redis.call('HDEL', KEYS[2], get(c, 'name'))
    n = n + 1
  end
end
return n
