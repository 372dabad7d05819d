-- Pauses a periodic job, or resumes it. A paused one stands at the end of time.
-- KEYS  1 delayed, 2 periodic
-- ARGV  1 channel, 2 queue name, 3 name, 4 revision and 5 next tick in ms to resume,
--       or "" and "" to pause
-- Returns 1, 0 when there is none, -1 when it has another revision: look again.
local old = redis.call('HGET', KEYS[2], ARGV[3])
if not old then return 0 end
old = unpack_fields(old)
local paused = get(old, 'p') == '1'
if ARGV[5] == '' then
  if not paused then
    redis.call('HSET', KEYS[2], ARGV[3], pack(amend(old, {p = '1'})))
    redis.call('ZADD', KEYS[1], never, tick_prefix .. ARGV[3])
  end
  return 1
end
if get(old, 'r') ~= ARGV[4] then return -1 end
if paused then
  redis.call('HSET', KEYS[2], ARGV[3], pack(amend(old, {}, {p = true})))
  put(KEYS[1], tick_prefix .. ARGV[3], tonumber(ARGV[5]), ARGV[1], ARGV[2])
end
return 1
