-- Cancels a message: removes it where it waits, or else marks its id, so that
-- whoever has it, or gets it, lets go of it.
--
-- A mark is the time of the cancel: it means the messages sent up to then, and none
-- that is sent under the same id later.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies, 7 canceled
-- ARGV  1 group, 2 id, 3 ms for which it stays marked, 4 channel, 5 queue name
-- Returns {1, address of who waits for a reply, or ""} when it was removed; {0} when it
-- is marked.
local q, id = queue(KEYS, 1), ARGV[2]
local function gone(fields)
  return {1, get(fields, 'r') or ''}
end
local fields = cancel_scheduled(q, KEYS[5], KEYS[6], id)
if fields then return gone(fields) end
local entry, level = string.match(id, '^(%d+%-%d+)(.*)$') -- see id_of
if entry and (level == '' or string.find(level, '^%.p%d$')) then
  local stream = level == '' and q.base or q.base .. ':' .. string.sub(level, 2)
  fields = read(stream, entry)
  if fields and id_of(fields, entry) == id then
    local pending = redis.pcall('XPENDING', stream, ARGV[1], entry, entry, 1)
    local owner = not pending.err and pending[1] and pending[1][2]
    if not owner or owner == 'released' then
      if owner then
        redis.call('XACK', stream, ARGV[1], entry)
        forget_released(stream, ARGV[1])
      end
      redis.call('XDEL', stream, entry)
      canceled(q, entry, fields)
      return gone(fields)
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
