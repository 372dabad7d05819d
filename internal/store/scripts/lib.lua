-- Shared by all scripts: prepended to each of them before it is loaded.
--
-- A stream entry's fields are a flat list name, value, name, value, …
-- One-letter names belong to LeanMQ (see envelope.go), longer ones are headers.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
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

-- What a message must carry from its first move on, because the entry id that
-- said it so far changes: its id and its creation time.
local function identity(fields, id)
  return {
    i = get(fields, 'i') or id,
    t = get(fields, 't') or string.match(id, '^%d+'),
  }
end

-- A list of strings as one string, and back: each one as "length:bytes".
local function pack(list)
  local out = {}
  for i = 1, #list do out[i] = #list[i] .. ':' .. list[i] end
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
  if redis.call('ZRANGE', delayed, 0, 0)[1] == token then
    redis.call('PUBLISH', channel, 'due ' .. queue)
  end
end

-- Puts a message aside until due (ms). Its token is token if that is free: its
-- id, so that it can be found. Else it is other, which had better be unique.
local function schedule(delayed, bodies, token, fields, due, channel, queue, other)
  local body = pack(fields)
  while is_tick(token) or redis.call('HSETNX', bodies, token, body) == 0 do
    token, other = other or '+' .. token, nil
  end
  put(delayed, token, due, channel, queue)
end

-- Whether the message with this id is scheduled, under its id as token.
local function scheduled(bodies, id)
  local body = redis.call('HGET', bodies, id)
  return body and get(unpack_fields(body), 'i') == id
end

-- Moves an entry to the dead-letter stream. Writes first and takes away last.
local function bury(stream, group, dead, id, fields, reason, err, attempts)
  local now = int(now_ms())
  local set = identity(fields, id)
  -- Only a foreign one: more than a call takes arguments, and no message (see
  -- maxFields in Go).
  if #fields > 4000 then fields = {':fields', pack(fields)} end
  set.w, set.e, set.a, set.l = reason, err, attempts, now
  set.f = get(fields, 'f') or now
  redis.call('XADD', dead, '*', unpack(amend(fields, set)))
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
end
