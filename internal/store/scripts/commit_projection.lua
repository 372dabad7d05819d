-- Moves a projection on, together with what it writes, if it is still run by this
-- process. A repeat does nothing: the position says so. Redis does not undo: when it
-- refuses a command, those before it have been executed, and the position stays.
-- KEYS  1 projection, 2… keys of the commands
-- ARGV  1 owner, 2 epoch, 3 lease in ms, 4 position before, 5 position after, 6 events
--       handled until there, then for each command the number of its arguments, and these
-- Returns {1} | {0}: another one runs it | {-1, n, error}: the n-th command was refused
local p = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'position')
if p[1] ~= ARGV[1] or p[2] ~= ARGV[2] then return {0} end
if p[3] == ARGV[5] then return {1} end
if (p[3] or '') ~= ARGV[4] then return {0} end
if #ARGV == 6 then settle_always(KEYS[1]) end
local at, n = 7, 0
while at <= #ARGV do
  local args = tonumber(ARGV[at])
  n = n + 1
  local reply = redis.pcall(unpack(ARGV, at + 1, at + args))
  if type(reply) == 'table' and reply.err then return {-1, n, reply.err} end
  at = at + 1 + args
end
redis.call('HSET', KEYS[1], 'position', ARGV[5], 'handled', ARGV[6], 'until', int(now_ms() + ARGV[3]),
  'at', int(now_ms()), 'error', '', 'attempts', '0')
return {1}
