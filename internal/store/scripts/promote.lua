-- Moves messages that are due from where they wait to their streams. The ticks of
-- periodic jobs stand among them: those that are due are returned, and stay
-- where they are until tick.lua moves them.
-- KEYS  for each queue: stream, delayed, bodies, periodic
-- ARGV  1 most to move a queue
-- Returns for each queue the ms until its next message is due, or -1; for one with
-- ticks that are due {ms or -1, now in ms, {name, due in ms, revision, cron, every,
-- zone, missed}, …}, where the ms are until what comes after these ticks.
local most = tonumber(ARGV[1])
local now

local function promote(stream, delayed, bodies, periodic)
  local head = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if not head[2] then return -1 end
  now = now or now_ms()
  if tonumber(head[2]) > now then return tonumber(head[2]) - now end

  local result = {-1, int(now)}
  local left, passed = most, 0 -- passed: ticks, which stay at the head
  while left > 0 do
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', int(now), 'LIMIT', passed, left)
    local tokens = {}
    for _, token in ipairs(due) do
      if is_tick(token) then
        passed = passed + 1
        if #result < most then
          local name = string.sub(token, #tick_prefix + 1)
          local r = redis.call('HGET', periodic, name)
          if r then
            r = unpack_fields(r)
            result[#result + 1] = {name, int(tonumber(redis.call('ZSCORE', delayed, token))),
              get(r, 'r'), get(r, 'c'), get(r, 'e'), get(r, 'z'), get(r, 'm')}
          end
        end
      else
        tokens[#tokens + 1] = token
        local body = redis.call('HGET', bodies, token)
        if body then redis.call('XADD', stream, '*', unpack(unpack_fields(body))) end
      end
    end
    if #tokens > 0 then
      redis.call('ZREM', delayed, unpack(tokens))
      redis.call('HDEL', bodies, unpack(tokens))
    end
    if #due < left then break end
    left = left - #tokens
  end
  head = redis.call('ZRANGE', delayed, passed, passed, 'WITHSCORES')
  if head[2] then result[1] = math.max(tonumber(head[2]) - now, 0) end
  if #result == 2 then return result[1] end
  return result
end

local results = {}
for k = 1, #KEYS, 4 do
  results[#results + 1] = promote(KEYS[k], KEYS[k + 1], KEYS[k + 2], KEYS[k + 3])
end
return results
