-- Moves messages that are due from where they wait to their streams.
-- KEYS  for each queue: base, order, unique, meta, delayed, bodies
-- ARGV  1 most to move a queue
-- Returns for each queue the ms until its next message is due, or -1, and the
-- version of its settings.
local now = now_ms()
local result = {}
for k = 1, #KEYS, 6 do
  local q, delayed, bodies = queue(k), KEYS[k + 4], KEYS[k + 5]
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', 0, ARGV[1])
  if due[1] then settle_always(bodies) end
  for _, token in ipairs(due) do
    local body = redis.call('HGET', bodies, token)
    local fields = body and unpack_fields(body)
    if fields then
      -- What was tried already kept its place among those with its ordering key.
      if get(fields, 'a') then append(q, fields) else enqueue(q, fields) end
    end
    redis.call('ZREM', delayed, token)
    redis.call('HDEL', bodies, token)
  end
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  result[#result + 1] = head[2] and math.max(tonumber(head[2]) - now, 0) or -1
  result[#result + 1] = redis.call('HGET', q.meta, '@version') or 0
end
return result
