-- Reads new messages for a consumer, as many as the queue's limits allow, from the
-- streams of its levels, and of a topic if it is that of a topic's group.
--
-- Messages in flight are those pending in the group: what a dead worker held, and
-- what was handed back, counts until it is taken over, so that the limit is never
-- exceeded. The rate is kept by GCRA: one number, the time at which the next
-- message conforms (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
--
-- Of a topic the group gets those messages whose type its filter matches; the others
-- are acknowledged at once. Those with an ordering key are copied to the group's own
-- stream or lanes, in their order, and read from there: from then on they are like a
-- queue's. It is read no further while too many wait in lanes.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 rate, 6… streams, the most urgent first
-- ARGV  1 consumer, 2 most to take, 3 plan: the stream, 0 for the first
--       one, of each message wanted, a digit for each; what these do not have is
--       made up for by the others, the first ones first, 4… for each stream: its
--       group ("leanmq", or it is a topic), and the most to take from it and those
--       before it
-- Returns {why no more, ms to wait for more or -1, for each stream: {id last
-- delivered or "", 1 if it has more, {id, fields}, …}}, why being "" (there may be
-- more), "empty", "paused", "running", "returned" (as running, but some of it was
-- handed back), "rate", "blocked" (too many wait in lanes) or "nogroup".
local most_scanned, most_blocked = 1000, 10000
local q, consumer, first = queue(KEYS, 1), ARGV[1], 6
local s = redis.call('HMGET', q.meta, 'paused', 'running', 'rate', 'per', 'burst', 'types', 'blocked')
local n, streams = tonumber(ARGV[2]), #KEYS - first + 1
local function stream_of(k) return KEYS[first - 1 + k] end
local function group_of(k) return ARGV[2 + 2 * k] end
local function most_of(k) return tonumber(ARGV[3 + 2 * k]) end
if s[1] then return {'paused', -1} end
if s[2] then
  local room, returned = tonumber(s[2]), false
  for k = 1, streams do
    local p = redis.pcall('XPENDING', stream_of(k), group_of(k))
    if p.err then return {'nogroup', -1} end
    room = room - p[1]
    for _, owner in ipairs(p[4] or {}) do returned = returned or owner[1] == 'released' end
  end
  if room <= 0 then return {returned and 'returned' or 'running', -1} end
  n = math.min(n, room)
end
local now, conform, interval
if s[3] then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
  interval = s[4] / s[3] -- µs
  conform = math.max(tonumber(redis.call('GET', KEYS[5]) or now), now)
  if conform > now + s[5] * interval + 1 then -- limits before these have been slower
    conform = now + s[5] * interval
    redis.pcall('SET', KEYS[5], int(math.ceil(conform)), 'PX', math.ceil((conform - now) / 1000) + 1000)
  end
  local free = math.floor(s[5] - (conform - now) / interval)
  if free < 1 then
    return {'rate', math.ceil((conform - now - (s[5] - 1) * interval) / 1000)}
  end
  n = math.min(n, free)
end

local left, missing, blocked, moved = n, false, false, false
local got, dry, last = {}, {}, {}

-- Reads what comes next of a stream.
local function read_new(k, count)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group_of(k), consumer, 'COUNT', count, 'STREAMS', stream_of(k), '>')
  if reply and reply.err then
    missing = true
    return {}
  end
  local entries = reply and reply[1] and reply[1][2] or {}
  dry[k] = #entries < count
  if #entries > 0 then last[k] = entries[#entries][1] end
  return entries
end

local function deliver(k, entry)
  got[k][#got[k] + 1] = entry
  left = left - 1
end

local filter = s[6] and type_filter(s[6])

-- Takes a message out of the topic, if it is not for the group or has to wait for its
-- turn: then it becomes one of the group's own. Reports whether it is to be delivered,
-- and whether it counts among those wanted.
local function sift(k, id, fields)
  local kind, key, level
  for i = 1, #fields, 2 do
    local name = fields[i]
    if name == 'v' then kind = fields[i + 1]
    elseif name == 'k' then key = true
    elseif name == 'y' then level = true end
  end
  if filter and not filter(kind or '') then return false, false end
  if not key and not level or #fields > 4000 then return true, true end
  if level then fields = amend(fields, {}, {y = true}) end -- a topic has no levels
  enqueue(q, amend(fields, identity(fields, id)))
  moved = true
  for own = 1, streams do
    if group_of(own) == 'leanmq' then dry[own] = false end
  end
  return false, true
end

local function take_topic(k, count)
  if tonumber(s[7] or 0) >= most_blocked then
    blocked = true
    return
  end
  local scanned, filtered = 0, 0
  while count > 0 and scanned < most_scanned and not dry[k] and not missing do
    local passed = {}
    local entries = read_new(k, count)
    for _, e in ipairs(entries) do
      local mine, counts = sift(k, e[1], e[2])
      if mine then deliver(k, e) else passed[#passed + 1] = e[1] end
      if counts then count = count - 1 else filtered = filtered + 1 end
    end
    if #passed > 0 then redis.call('XACK', stream_of(k), group_of(k), unpack(passed)) end
    scanned = scanned + #entries
  end
  if filtered > 0 then redis.call('HINCRBY', q.meta, 'filtered', filtered) end
end

local function take(k, count)
  if group_of(k) ~= 'leanmq' then return take_topic(k, count) end
  for _, e in ipairs(read_new(k, count)) do deliver(k, e) end
end

local wanted = {}
for k = 1, streams do got[k], wanted[k] = {'', 0}, 0 end -- the entries follow
for i = 1, math.min(n, #ARGV[3]) do
  local k = string.byte(ARGV[3], i) - 47
  wanted[k] = wanted[k] + 1
end
for k = 1, streams do
  if wanted[k] > 0 and not missing then take(k, wanted[k]) end
end
moved = false
local function make_up()
  local upTo = 0
  for k = 1, streams do
    local room = math.min(left, most_of(k) - upTo - #got[k] + 2)
    if room > 0 and not dry[k] and not missing then take(k, room) end
    upTo = upTo + #got[k] - 2
  end
end
make_up()
if moved then make_up() end -- to the group's own stream, which comes before the topic
-- What was taken before a stream turned out to be missing has to be handled.
if missing and left == n then return {'nogroup', -1} end

if interval and left < n then
  conform = conform + (n - left) * interval
  redis.call('SET', KEYS[5], int(math.ceil(conform)), 'PX', math.ceil((conform - now) / 1000) + 1000)
end
local result, any = {'', -1}, missing
for k = 1, streams do
  if not last[k] and (left == n or streams > 1 and not dry[k]) then
    local groups = redis.pcall('XINFO', 'GROUPS', stream_of(k))
    for _, g in ipairs(groups.err and {} or groups) do
      if get(g, 'name') == group_of(k) then last[k] = get(g, 'last-delivered-id') end
    end
  end
  if (left == n or streams > 1 and not dry[k]) then got[k][1] = last[k] or '' end
  if last[k] and streams > 1 and not dry[k] then
    got[k][2] = #redis.call('XRANGE', stream_of(k), '(' .. last[k], '+', 'COUNT', 1)
    any = any or got[k][2] == 1
  end
  result[#result + 1] = got[k]
end
if left == n and blocked then result[1] = 'blocked' elseif left == n and not any then result[1] = 'empty' end
return result
