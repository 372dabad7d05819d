-- Cancels a message: removes it where it waits, or else marks its id, so that
-- whoever has it, or gets it, lets go of it.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 delayed, 6 bodies, 7 canceled
-- ARGV  1 group, 2 id, 3 ms for which it stays marked, 4 channel, 5 queue name
-- Returns 1 when it was removed, 0 when it is marked.
local q, id = queue(1), ARGV[2]
if cancel_scheduled(q, KEYS[5], KEYS[6], id) then return 1 end
local entry, level = string.match(id, '^(%d+%-%d+)(.*)$') -- see id_of
if entry and (level == '' or string.find(level, '^%.p%d$')) then
  local stream = level == '' and q.base or q.base .. ':' .. string.sub(level, 2)
  local fields = read(stream, entry)
  local pending = fields and redis.pcall('XPENDING', stream, ARGV[1], entry, entry, 1)
  if fields and id_of(fields, entry) == id and (pending.err or #pending == 0) then
    redis.call('XDEL', stream, entry)
    finish_fields(q, entry, fields, 'canceled', '')
    redis.call('HINCRBY', q.meta, 'canceled', 1)
    return 1
  end
end
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', int(now))
redis.call('ZADD', KEYS[7], int(now + ARGV[3]), id)
redis.call('HINCRBY', q.meta, '@version', 1)
redis.call('PUBLISH', ARGV[4], 'control ' .. ARGV[5])
return 0
