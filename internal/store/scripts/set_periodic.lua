-- Creates or changes a periodic job. What it is set to already changes nothing.
-- A change keeps the pause and the counts, and as long as its times are the same
-- the next tick too.
-- KEYS  1 delayed, 2 periodic
-- ARGV  1 channel, 2 queue name, 3 name, 4 next tick in ms, 5 most jobs a queue,
--       6… its definition: r revision, c cron, e every in ms, z zone, m what
--       becomes of missed ticks, b the packed fields of its messages
-- Returns 1, 0 when nothing changed, -1 when there are too many
local token, due, set = tick_prefix .. ARGV[3], ARGV[4], {}
for i = 6, #ARGV, 2 do set[ARGV[i]] = ARGV[i + 1] end
local old = redis.call('HGET', KEYS[2], ARGV[3])
if old then
  old = unpack_fields(old)
  local standing = redis.call('ZSCORE', KEYS[1], token)
  if standing and get(old, 'r') == set.r then return 0 end
  local same = get(old, 'c') == set.c and get(old, 'e') == set.e and get(old, 'z') == set.z
  if get(old, 'p') then
    due = never
  elseif same and standing then
    due = standing
  end
elseif redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[5]) then
  return -1
end
redis.call('HSET', KEYS[2], ARGV[3], pack(amend(old or {}, set)))
put(KEYS[1], token, tonumber(due), ARGV[1], ARGV[2])
return 1
