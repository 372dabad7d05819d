-- Shared by all scripts: prepended to each of them before it is loaded.
--
-- A stream entry's fields are a flat list name, value, name, value, …
-- One-letter names belong to LeanMQ (see envelope.go), longer ones are headers.

local now -- the same throughout a script
local function now_ms()
  if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
  end
  return now
end

-- Integers as text: tostring() would turn large ones into 1.7e+12.
local function int(n)
  return string.format('%.0f', n)
end

-- The pending record {id, consumer, idle ms, deliveries} of an entry that the
-- consumer still owns, or nil. A missing group owns nothing.
local function owned(stream, group, consumer, id)
  local p = redis.pcall('XPENDING', stream, group, id, id, 1, consumer)
  if p.err then return nil end
  return p[1]
end

-- The entry's fields, or nil when it was deleted.
local function read(stream, id)
  local found = redis.call('XRANGE', stream, id, id)[1]
  return found and found[2]
end

-- A copy of fields with set's values in place of, or added to, its own, and
-- without the names in drop. Names in set win over those in drop.
local function amend(fields, set, drop)
  local out = {}
  for i = 1, #fields, 2 do
    local name = fields[i]
    if not set[name] and not (drop and drop[name]) then
      out[#out + 1] = name
      out[#out + 1] = fields[i + 1]
    end
  end
  for name, value in pairs(set) do
    out[#out + 1] = name
    out[#out + 1] = value
  end
  return out
end

local function get(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

-- What tells an entry from those of all other levels, which may have the same id.
local function entry_name(fields, entry)
  local level = get(fields, 'y')
  return level and entry .. '.p' .. level or entry
end

-- The id of a message that stands at an entry.
local function id_of(fields, entry)
  return get(fields, 'i') or entry_name(fields, entry)
end

-- What a message must carry from its first move on, because the entry id that
-- said it so far changes: its id and its creation time.
local function identity(fields, id)
  return {
    i = id_of(fields, id),
    t = get(fields, 't') or string.match(id, '^%d+'),
  }
end

-- A list of strings as one string, and back: each one as "length:bytes".
local heads = {} -- numbers are slow to write
local function pack(list)
  local out = {}
  for i = 1, #list do
    local n = #list[i]
    local head = heads[n]
    if not head then
      head = n .. ':'
      heads[n] = head
    end
    out[2 * i - 1], out[2 * i] = head, list[i]
  end
  return table.concat(out)
end

local function unpack_fields(s)
  local out, at = {}, 1
  while at <= #s do
    local colon = string.find(s, ':', at, true)
    local n = tonumber(string.sub(s, at, colon - 1))
    out[#out + 1] = string.sub(s, colon + 1, colon + n)
    at = colon + n + 1
  end
  return out
end

-- The history of a message with one more failed attempt: packed, for each of the
-- last 5, the time in ms, the worker, and up to 256 bytes of the error.
-- attempts counts this one. What cannot be read is forgotten.
local function remember(old, attempts, now, worker, err)
  if attempts > 5 and old ~= '' then
    local starts, at = {}, 1
    while at <= #old do
      starts[#starts + 1] = at
      local n, rest = string.match(old, '^(%d+):()', at)
      at = n and rest + n or math.huge
    end
    local first = starts[math.max(#starts - 3 * 4 + 1, 1)]
    old = at == #old + 1 and string.sub(old, first) or ''
  end
  if #err > 256 then
    local n = 256
    while n > 252 and math.floor(string.byte(err, n + 1) / 64) == 2 do n = n - 1 end
    err = string.sub(err, 1, n) -- before a character, not within it
  end
  return old .. pack({now, worker, err})
end

-- Tells the schedulers when one of these tokens is the next one due.
local function announce(delayed, tokens, channel, queue)
  local head = redis.call('ZRANGE', delayed, 0, 0)[1]
  for i = 1, #tokens do
    if tokens[i] == head then
      redis.call('PUBLISH', channel, 'due ' .. queue)
      return
    end
  end
end

-- The next tick of a periodic job stands among the scheduled messages under a
-- token of its own, without a body; that of a paused one stands at the end of time.
-- So there are as many such tokens as there are jobs.
local tick_prefix, never = '@periodic:', '9007199254740991'

local function is_tick(token)
  return string.sub(token, 1, #tick_prefix) == tick_prefix
end

-- Has something due (ms), and tells the schedulers when it is the next one due.
local function put(delayed, token, due, channel, queue)
  redis.call('ZADD', delayed, int(due), token)
  announce(delayed, {token}, channel, queue)
end

-- Keeps the body (packed fields) of a message that is to wait under token, if that is free: its
-- id, so that it can be found. Else under other, which had better be unique. Returns
-- which.
local function keep(bodies, token, body, other)
  while is_tick(token) or redis.call('HSETNX', bodies, token, body) == 0 do
    token, other = other or '+' .. token, nil
  end
  return token
end

-- Puts a message aside until due (ms).
local function schedule(delayed, bodies, token, fields, due, channel, queue, other)
  put(delayed, keep(bodies, token, pack(fields), other), due, channel, queue)
end

-- The fields of the message with this id if it is scheduled, under its id as token.
local function scheduled(bodies, id)
  local body = redis.call('HGET', bodies, id)
  local fields = body and unpack_fields(body)
  return fields and get(fields, 'i') == id and fields
end

-- What scripts know of a queue beyond the stream at hand, from four of their
-- KEYS: base (the stream of normal priority), order, unique, meta. Further names
-- are built here as in keys.go: levels base:p<n>, lanes order:<key>, results
-- base:result:<id>, progress base:progress:<id>, periodic jobs base:periodic, marks
-- of canceled messages base:canceled. They share the hash tag, so they are in the
-- same slot.
local function queue(keys, at)
  local base = keys[at]
  return {base = base, order = keys[at + 1], unique = keys[at + 2], meta = keys[at + 3], periodic = base .. ':periodic'}
end

-- Makes a level known to the queue's consumers: whoever makes its stream does that
-- before anything is in it.
local function know_level(q, level, channel, queue)
  local levels = redis.call('HGET', q.meta, 'levels') or ''
  if string.find(levels, level, 1, true) then return end
  redis.call('HSET', q.meta, 'levels', levels .. level)
  redis.call('HINCRBY', q.meta, '@version', 1)
  redis.call('PUBLISH', channel, 'control ' .. queue)
  return true
end

-- Adds a message to the stream of its level.
local function append(q, fields)
  local level = get(fields, 'y')
  return redis.call('XADD', level and q.base .. ':p' .. level or q.base, '*', unpack(fields))
end

-- Lets a message wait in the lane of its ordering key. It needs its id in its fields.
local function block(q, key, fields)
  redis.call('RPUSH', q.order .. ':' .. key, pack(fields))
  redis.call('HINCRBY', q.meta, 'blocked', 1)
end

-- Adds a message, or lets it wait while another one with its ordering key is under
-- way.
local function enqueue(q, fields)
  local key = get(fields, 'k')
  if not key or redis.call('HSETNX', q.order, key, 1) == 1 then return append(q, fields) end
  block(q, key, fields)
end

-- Lets the next message with an ordering key go on.
local function advance(q, key)
  local lane = q.order .. ':' .. key
  local body = redis.call('LINDEX', lane, 0)
  if body then
    append(q, unpack_fields(body))
    redis.call('LPOP', lane)
    redis.call('HINCRBY', q.meta, 'blocked', -1)
  else
    redis.call('HDEL', q.order, key)
  end
end

-- What the end of a message's life brings with it, however it ended, but for the
-- note about its progress. Each of key, unique and keep (ms) is "" or nil where the
-- message has none.
local function finish(q, id, key, unique, keep, status, result)
  if keep and keep ~= '' then
    redis.call('SET', q.base .. ':result:' .. id, pack({status, int(now_ms()), result}), 'PX', keep)
    redis.call('PUBLISH', q.base .. ':results', id)
  end
  if unique and unique ~= '' and redis.call('HGET', q.unique, unique) == id then
    redis.call('HDEL', q.unique, unique)
  end
  if key and key ~= '' then advance(q, key) end
end

-- The same, and all of it, for a message whose fields are at hand.
local function finish_fields(q, entry, fields, status, result)
  local id = id_of(fields, entry)
  redis.call('DEL', q.base .. ':progress:' .. id)
  finish(q, id, get(fields, 'k'), get(fields, 'q'), get(fields, 'o'), status, result)
end

-- Ends a message that was canceled.
local function canceled(q, id, fields)
  finish_fields(q, id, fields, 'canceled', '')
  redis.call('HINCRBY', q.meta, 'canceled', 1)
end

-- Removes a scheduled message for good and returns its fields, or nil when there was
-- none.
local function cancel_scheduled(q, delayed, bodies, id)
  local fields = scheduled(bodies, id)
  if not fields then return nil end
  redis.call('ZREM', delayed, id)
  redis.call('HDEL', bodies, id)
  -- What was never tried has no place yet among those with its ordering key.
  if not get(fields, 'a') then fields = amend(fields, {}, {k = true}) end
  canceled(q, id, fields)
  return fields
end

-- Removes the consumer that has what was handed back (release.lua), which is no
-- worker, when it has nothing any more.
local function forget_released(stream, group)
  if #redis.call('XPENDING', stream, group, '-', '+', 1, 'released') == 0 then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, 'released')
  end
end

-- The streams of all levels.
local function streams(q)
  local all = {q.base}
  for level in string.gmatch(redis.call('HGET', q.meta, 'levels') or '', '.') do
    all[#all + 1] = q.base .. ':p' .. level
  end
  return all
end

-- How many messages wait in the queue, in whatever state.
local function waiting(q, delayed)
  local settings = redis.call('HMGET', q.meta, 'blocked', 'levels')
  local n = redis.call('XLEN', q.base) + redis.call('ZCARD', delayed) - redis.call('HLEN', q.periodic)
    + (settings[1] or 0)
  for level in string.gmatch(settings[2] or '', '.') do
    n = n + redis.call('XLEN', q.base .. ':p' .. level)
  end
  return n
end

-- A function that says whether a type matches one of these patterns (packed). A type
-- and a pattern are segments with dots between them; "*" stands for one segment, "#"
-- for any number of them. Each type is looked at once a script.
local function type_filter(patterns)
  local list, known = {}, {}
  local function split(s)
    local out = {}
    for segment in string.gmatch(s, '[^.]+') do out[#out + 1] = segment end
    return out
  end
  for i, pattern in ipairs(unpack_fields(patterns)) do list[i] = split(pattern) end
  -- Which places of the pattern can be reached with what was read so far: place p is
  -- that before its p-th segment.
  local function matches(pattern, segments)
    local at = {true}
    for p = 1, #pattern do
      if at[p] and pattern[p] == '#' then at[p + 1] = true end
    end
    for _, segment in ipairs(segments) do
      local next = {}
      for p = 1, #pattern do
        if at[p] and pattern[p] == '#' then next[p] = true end
        if at[p] and (pattern[p] == '*' or pattern[p] == segment) then next[p + 1] = true end
        if next[p] and pattern[p] == '#' then next[p + 1] = true end
      end
      at = next
    end
    return at[#pattern + 1] or false
  end
  return function(kind)
    local known_so = known[kind]
    if known_so == nil then
      known_so = false
      local segments = split(kind)
      for _, pattern in ipairs(list) do known_so = known_so or matches(pattern, segments) end
      known[kind] = known_so
    end
    return known_so
  end
end

-- Gives the members of a queue another version. It tells when that was, so that it is
-- none that there was before: not even after a loss of the data, or of the last changes
-- by a fail-over.
local function members_change(record, members)
  local t = redis.call('TIME')
  local last = tonumber(redis.call('HGET', record, 'version') or '0')
  redis.call('HSET', record, 'version', int(math.max(t[1] * 1000000 + t[2], last + 1)))
  redis.call('PUBLISH', members, 'changed')
end

-- Redis refuses the first write of a script while its memory is full, but not
-- those after one that it allows: what takes no more room than it frees, or lets
-- others do so, must go on all the same. hash is a hash of the queue.
local function settle_always(hash)
  redis.call('HDEL', hash, '')
end

-- Takes an entry that is settled, or is somewhere else now, from a consumer. A queue's
-- own stream, which "leanmq" reads, gives it up; that of a topic keeps it for other
-- groups.
local function take_out(stream, group, ...)
  redis.call('XACK', stream, group, ...)
  if group == 'leanmq' then redis.call('XDEL', stream, ...) end
end

-- Moves an entry to the dead-letter stream. Writes first and takes away last.
-- worker is whose attempt it was that failed, nil when none did.
local function bury(q, stream, group, dead, id, fields, reason, err, attempts, worker)
  local now = int(now_ms())
  local set = identity(fields, id)
  if worker then set.h = remember(get(fields, 'h') or '', (tonumber(attempts) or 0) + 1, now, worker, err) end
  -- Only a foreign one: more than a call takes arguments, and no message (see
  -- maxFields in Go).
  local kept = #fields > 4000 and {':fields', pack(fields)} or fields
  set.w, set.e, set.a, set.l = reason, err, attempts, now
  set.f = get(fields, 'f') or now
  redis.call('XADD', dead, '*', unpack(amend(kept, set)))
  take_out(stream, group, id)
  finish_fields(q, id, fields, 'dead', err)
end

-- Whether the entry id a is before b.
local function before(a, b)
  local am, as = string.match(a, '^(%d+)%-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)%-(%d+)$')
  if am ~= bm then return tonumber(am) < tonumber(bm) end
  if #as ~= #bs then return #as < #bs end -- more than a number holds
  return as < bs
end

-- The entry id next to this one; ids that count beyond a number stay as they are.
local function after(id)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  if seq == '18446744073709551615' then return int(ms + 1) .. '-0' end
  return #seq > 15 and id or ms .. '-' .. int(seq + 1)
end

-- What there is of a topic, for somebody who wants what comes after an entry that is
-- not there any more, or not yet; nil if all is well. Everything is after 0-0.
local function not_there(topic, meta, id)
  local first = redis.call('XRANGE', topic, '-', '+', 'COUNT', 1)[1]
  local last = redis.call('XREVRANGE', topic, '+', '-', 'COUNT', 1)[1]
  local trimmed = redis.call('HGET', meta, 'trimmed') -- all before this
  first, last = first and first[1] or '', last and last[1] or ''
  if id ~= '0-0' and trimmed and before(after(id), trimmed) then return {'gone', first, last} end
  if before(last ~= '' and last or trimmed or '0-0', id) and before(int(now_ms()) .. '-0', id) then
    return {'ahead', first, last}
  end
end

-- The groups of a topic: for each its name, the last entry delivered, the first one
-- that it is not done with (everything before that is), how many are pending, how many
-- of them were handed back, and what else XINFO says.
local function groups_of(topic)
  local found, groups = redis.pcall('XINFO', 'GROUPS', topic), {}
  for _, g in ipairs(found.err and {} or found) do
    local name, last = get(g, 'name'), get(g, 'last-delivered-id')
    if not string.find(last, '-', 1, true) then last = last .. '-0' end -- miniredis
    local pending = redis.call('XPENDING', topic, name)
    local undone = after(last)
    if pending[1] > 0 and before(pending[2], undone) then undone = pending[2] end
    local released = 0
    for _, owner in ipairs(pending[4] or {}) do
      if owner[1] == 'released' then released = tonumber(owner[2]) end
    end
    groups[#groups + 1] =
      {name = name, last = last, undone = undone, pending = pending[1], released = released, info = g}
  end
  return groups
end
