-- Enqueues ticks of a periodic job and puts the next one in their place, unless
-- another process has, or the job was changed, paused or removed: each tick is
-- enqueued once, by whoever comes first.
-- KEYS  1 stream, 2 delayed, 3 periodic
-- ARGV  1 name, 2 revision, 3 due time that stands there in ms, 4 the next one in
--       ms, 5 how many ticks are skipped, 6 the last tick in ms or "",
--       7… ticks to enqueue, as text
-- Returns {1 or 0 when it was too late, ms until what stands there now or -1}
local token = tick_prefix .. ARGV[1]
local record = redis.call('HGET', KEYS[3], ARGV[1])
local due = redis.call('ZSCORE', KEYS[2], token)
if not record or not due then return {0, -1} end
local now = now_ms()
local r = unpack_fields(record)
if tonumber(due) ~= tonumber(ARGV[3]) or get(r, 'r') ~= ARGV[2] then
  return {0, math.max(tonumber(due) - now, 0)}
end
local fields = unpack_fields(get(r, 'b'))
for i = 7, #ARGV do
  redis.call('XADD', KEYS[1], '*', unpack(amend(fields, {i = ARGV[1] .. '@' .. ARGV[i], [':tick'] = ARGV[i]})))
end
local set = {s = int(tonumber(get(r, 's') or '0') + tonumber(ARGV[5]))}
if ARGV[6] ~= '' then set.l = ARGV[6] end
redis.call('HSET', KEYS[3], ARGV[1], pack(amend(r, set)))
redis.call('ZADD', KEYS[2], ARGV[4], token)
return {1, math.max(tonumber(ARGV[4]) - now, 0)}
