-- Runs a command of the caller's. Redis does not roll back: so before each one, but for
-- the last, it keeps what the command is going to change, and when one fails all of
-- them are undone, the last one first.
-- KEYS  the command's keys
-- ARGV  1 how it is undone (see txcommand.go), 2 how many elements of its key it changes,
--       3… these, then the command
-- Returns its reply. Refuses with {error}
local key, how, n = KEYS[1], ARGV[1], tonumber(ARGV[2])
local names = {unpack(ARGV, 3, 2 + n)}

local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    refused = {reply.err}
    return nil
  end
  return reply
end

local function expire(key, at)
  if at > 0 then redis.call('PEXPIREAT', key, int(at)) end
end

-- What undoes the command, from what is there before it.
local function undoing()
  if how == 'push' then
    return function() redis.call(names[1], key, names[2]) end
  elseif how == 'copy' then
    local copies = {}
    for i = 1, #KEYS do
      local dump = try('DUMP', KEYS[i])
      if refused then return end
      copies[i] = {KEYS[i], dump, redis.call('PEXPIRETIME', KEYS[i])}
    end
    return function()
      for _, c in ipairs(copies) do
        redis.call('DEL', c[1])
        if c[2] then
          redis.call('RESTORE', c[1], '0', c[2])
          expire(c[1], c[3])
        end
      end
    end
  end
  local at = redis.call('PEXPIRETIME', key)
  if how == 'expiry' then
    return function()
      redis.call('PERSIST', key)
      expire(key, at)
    end
  end
  local ask = {hash = 'HMGET', set = 'SMISMEMBER', zset = 'ZMSCORE'}
  local old = try(ask[how], key, unpack(names))
  if refused then return end
  return function()
    for i, name in ipairs(names) do
      if how == 'hash' then
        if old[i] then redis.call('HSET', key, name, old[i]) else redis.call('HDEL', key, name) end
      elseif how == 'set' then
        redis.call(old[i] == 1 and 'SADD' or 'SREM', key, name)
      elseif old[i] then
        redis.call('ZADD', key, old[i], name)
      else
        redis.call('ZREM', key, name)
      end
    end
    expire(key, at) -- it went with the key when that became empty
  end
end

local back = how ~= '' and undoing()
local reply = not refused and try(unpack(ARGV, 3 + n))
if refused then
  for i = #undo, 1, -1 do undo[i]() end
  return
end
undo[#undo + 1] = back or nil
return reply
