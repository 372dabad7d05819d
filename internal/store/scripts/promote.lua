-- Moves messages that are due from where they wait to their streams. The ticks of
-- periodic jobs stand among them: those that are due are returned, and stay
-- where they are until tick.lua moves them.
-- KEYS  for each queue: base, order, unique, meta, delayed, bodies
-- ARGV  1 most to move a queue
-- Returns for each queue the ms until its next message is due, or -1; for one with
-- ticks that are due {ms or -1, now in ms, {name, due in ms, revision, cron, every,
-- zone, missed}, …}, where the ms are until what comes after these ticks; the
-- version of its settings; and how many messages were moved.
local most = tonumber(ARGV[1])

local function tick(q, delayed, token)
  local name = string.sub(token, #tick_prefix + 1)
  local r = redis.call('HGET', q.periodic, name)
  if not r then return nil end
  r = unpack_fields(r)
  return {name, int(tonumber(redis.call('ZSCORE', delayed, token))),
    get(r, 'r'), get(r, 'c'), get(r, 'e'), get(r, 'z'), get(r, 'm')}
end

local function promote(q, delayed, bodies)
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not head[2] then return -1, 0 end
  local now = now_ms()
  if tonumber(head[2]) > now then return tonumber(head[2]) - now, 0 end

  settle_always(bodies)
  local result = {-1, int(now)}
  local left, passed = most, 0 -- passed: ticks, which stay at the head
  while left > 0 do
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', passed, left)
    local tokens = {}
    for _, token in ipairs(due) do
      if is_tick(token) then
        passed = passed + 1
        if #result < most then result[#result + 1] = tick(q, delayed, token) end
      else
        tokens[#tokens + 1] = token
        local body = redis.call('HGET', bodies, token)
        local fields = body and unpack_fields(body)
        if fields then
          -- What was tried already kept its place among those with its ordering key.
          if get(fields, 'a') then append(q, fields) else enqueue(q, fields) end
        end
      end
    end
    if #tokens > 0 then
      redis.call('ZREM', delayed, unpack(tokens))
      redis.call('HDEL', bodies, unpack(tokens))
    end
    local all = #due < left
    left = left - #tokens
    if all then break end
  end
  head = redis.call('ZRANGE', delayed, passed, passed, 'WITHSCORES')
  if head[2] then result[1] = math.max(tonumber(head[2]) - now, 0) end
  if #result == 2 then result = result[1] end
  return result, most - left
end

local results = {}
for k = 1, #KEYS, 6 do
  local q = queue(KEYS, k)
  local stand, moved = promote(q, KEYS[k + 4], KEYS[k + 5])
  local n = #results
  results[n + 1], results[n + 2], results[n + 3] = stand, redis.call('HGET', q.meta, '@version') or 0, moved
end
return results
