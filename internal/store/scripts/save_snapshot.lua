-- Saves a snapshot of an aggregate, unless there is one of the same version or a newer
-- one.
-- KEYS  1 snapshot, 2 index of the aggregate
-- ARGV  1 version, 2 packed fields
-- Returns {1} | {0, version of the newer one} | {-1, version of the aggregate}: it is
-- not that far yet
local version = tonumber(ARGV[1])
local events = redis.call('LLEN', KEYS[2])
if version > events then return {-1, events} end
local saved = tonumber(redis.call('HGET', KEYS[1], 'version') or 0)
if version <= saved then return {0, saved} end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'state', ARGV[2])
return {1}
