-- Moves messages that are due from where they wait to their streams.
-- KEYS  for each queue: stream, delayed, bodies
-- ARGV  1 most to move a queue
-- Returns for each queue the ms until its next message is due, or -1.
local now = now_ms()
local result = {}
for k = 1, #KEYS, 3 do
  local stream, delayed, bodies = KEYS[k], KEYS[k + 1], KEYS[k + 2]
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', 0, ARGV[1])
  for _, token in ipairs(due) do
    local body = redis.call('HGET', bodies, token)
    if body then redis.call('XADD', stream, '*', unpack(unpack_fields(body))) end
    redis.call('ZREM', delayed, token)
    redis.call('HDEL', bodies, token)
  end
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  result[#result + 1] = head[2] and math.max(tonumber(head[2]) - now, 0) or -1
end
return result
