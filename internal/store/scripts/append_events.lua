-- Appends events to an aggregate whose version is the expected one: all of them or
-- none. Whatever can be refused is asked before the first write. The events come
-- first, then the indexes: none of them ever points to nothing.
-- KEYS  1 log, 2 index of the aggregate, 3 what is remembered of this append, 4 types,
--       5 meta of the topic, 6… indexes of the types among the events
-- ARGV  1 expected version (-1 = any), 2 ms to remember it, 3 events, then for each of
--       them: which of KEYS indexes its type, its number of fields, and these. The
--       fourth is its type; the eighth, its version, is filled in here
-- Returns {"ok" | "dup", version after it, ids…} | {"conflict", version} |
-- {"retention", 0}: the topic has one, which would take events away
local expected, events = tonumber(ARGV[1]), tonumber(ARGV[3])
local first = redis.call('GET', KEYS[3])
if first then
  local version, n = string.match(first, '^(%d+) (%d+)$')
  local ids = redis.call('LRANGE', KEYS[2], int(version - n), int(version - 1))
  return {'dup', version, unpack(ids)}
end
local version = redis.call('LLEN', KEYS[2])
if expected >= 0 and version ~= expected then return {'conflict', int(version)} end
redis.call('XLEN', KEYS[1])
local new = redis.call('SCARD', KEYS[4]) == 0
local retention = redis.call('HMGET', KEYS[5], 'age', 'length', 'done')
if retention[1] or retention[2] or retention[3] then return {'retention', '0'} end
local known, typed, names = {}, {}, {}
for k = 6, #KEYS do
  known[k], typed[k] = redis.call('LLEN', KEYS[k]) > 0, {}
end

if new then redis.call('HSET', KEYS[5], 'events', '1') end -- it is not to be trimmed
local ids, at = {}, 4
for i = 1, events do
  local k, n = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  names[k] = ARGV[at + 5]
  ARGV[at + 9] = int(version + i)
  ids[i] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 2, at + 1 + n))
  typed[k][#typed[k] + 1] = ids[i]
  at = at + 2 + n
end
redis.call('RPUSH', KEYS[2], unpack(ids))
for k = 6, #KEYS do
  if not known[k] then redis.call('SADD', KEYS[4], names[k]) end
  redis.call('RPUSH', KEYS[k], unpack(typed[k]))
end
version = int(version + events)
redis.call('SET', KEYS[3], version .. ' ' .. events, 'PX', ARGV[2])
return {'ok', version, unpack(ids)}
