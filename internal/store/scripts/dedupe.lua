-- Sends one message of the normal level now, unless its id is remembered. Each argument
-- less makes it faster.
-- KEYS  1 stream, 2 dedupe key
-- ARGV  1 window in ms, 2… fields; the second one is the id
-- Returns {"ok", id} | {"dup", id of the first}
local id = ARGV[5]
local first = redis.call('SET', KEYS[2], id, 'NX', 'GET', 'PX', ARGV[1])
if first then return {'dup', first} end
local sent = redis.pcall('XADD', KEYS[1], '*', unpack(ARGV, 2))
if sent.err then
  redis.call('DEL', KEYS[2])
  return redis.error_reply(sent.err)
end
return {'ok', id}
