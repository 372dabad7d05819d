-- Cancels a message: removes it where it waits, or else marks its id, so that
-- whoever has it, or gets it, lets go of it.
--
-- A mark is the time of the cancel: it means the messages sent up to then, and none
-- that is sent under the same id later.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies, 7 canceled
-- ARGV  1 group, 2 id, 3 ms for which it stays marked, 4 channel, 5 queue name
-- Returns {1, inbox, correlation} when it was removed, the latter "" unless somebody
-- waits for a reply; {0} when it is marked.
local q, id = queue(1), ARGV[2]
local function gone(fields)
  return {1, get(fields, 'r') or '', get(fields, 'c') or ''}
end
local fields = cancel_scheduled(q, KEYS[5], KEYS[6], id)
if fields then return gone(fields) end
if string.find(id, '^%d+%-%d+$') then
  local streams = {q.base}
  for level in string.gmatch(redis.call('HGET', q.meta, 'levels') or '', '.') do
    streams[#streams + 1] = q.base .. ':p' .. level
  end
  for _, stream in ipairs(streams) do
    fields = read(stream, id)
    if fields and (get(fields, 'i') or id) == id then
      local pending = redis.pcall('XPENDING', stream, ARGV[1], id, id, 1)
      local owner = not pending.err and pending[1] and pending[1][2]
      if not owner or owner == 'released' then
        if owner then
          redis.call('XACK', stream, ARGV[1], id)
          forget_released(stream, ARGV[1])
        end
        redis.call('XDEL', stream, id)
        canceled(q, id, fields)
        return gone(fields)
      end
    end
  end
end
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', int(now - ARGV[3]))
redis.call('ZADD', KEYS[7], int(now), id)
redis.call('PEXPIRE', KEYS[7], ARGV[3])
redis.call('HINCRBY', q.meta, '@version', 1)
redis.call('PUBLISH', ARGV[4], 'control ' .. ARGV[5])
return {0}
