-- Acknowledges and deletes messages, if the consumer still owns them. What stands in
-- a topic stays there, for its other groups: so it is wherever the group is not
-- "leanmq".
--
-- Every takeover (reclaim.lua) changes the epoch of the consumer it takes from,
-- so an unchanged epoch proves that all of them are still its own: one HGET
-- fences the whole batch. After a takeover each message is looked up.
-- KEYS  1 stream, 2 workers
-- ARGV  1 group, 2 consumer, 3 the epoch it believes in, 4 the id after the last one if
--       they are many and in order, else "", 5… ids
-- Returns {epoch now or "", id that was lost, …}

local function earlier(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms == b_ms then return tonumber(a_seq) < tonumber(b_seq) end
  return tonumber(a_ms) < tonumber(b_ms)
end

-- To delete entries one by one takes the server longer than all the rest. What was
-- delivered and is not pending is done, and what is before an entry that was pending was
-- delivered: so all is done that is before both the first one that is pending now and
-- the id after the last one that just was. Returns where the rest of the ids begins.
local function trim(after)
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1)[1]
  local from, to = 5, #ARGV + 1
  while pending and from < to do
    local middle = math.floor((from + to) / 2)
    if earlier(ARGV[middle], pending[1]) then from = middle + 1 else to = middle end
  end
  if to > 5 then
    redis.call('XTRIM', KEYS[1], 'MINID', to <= #ARGV and pending[1] or after)
  end
  return to
end

local epoch = redis.call('HGET', KEYS[2], ARGV[2])
if epoch == ARGV[3] then
  local acked = redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 5))
  if ARGV[1] ~= 'leanmq' then return {epoch} end
  local rest = 5
  if ARGV[4] ~= '' and acked == #ARGV - 4 then rest = trim(ARGV[4]) end
  if rest <= #ARGV then redis.call('XDEL', KEYS[1], unpack(ARGV, rest)) end
  return {epoch}
end
local result = {epoch or ''}
for i = 5, #ARGV do
  if owned(KEYS[1], ARGV[1], ARGV[2], ARGV[i]) then
    take_out(KEYS[1], ARGV[1], ARGV[i])
  else
    result[#result + 1] = ARGV[i]
  end
end
return result
