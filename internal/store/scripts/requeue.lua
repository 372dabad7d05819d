-- Sends dead letters again, oldest first, each exactly once: a new life with
-- the same id, payload and headers, without the failures and without a caller
-- who waits for a reply.
-- KEYS  1 base, 2 order, 3 unique, 4 meta, 5 dead
-- ARGV  1 first id, 2 last id, 3 most to move
-- Returns {number moved, id of the last one moved or ""}
local drop = {a = true, e = true, f = true, h = true, l = true, t = true, w = true, r = true, c = true}
local special = {k = true, q = true, y = true}
local q = queue(KEYS, 1)

-- Sends one that depends on what else there is.
local function send_special(fields, id)
  fields = amend(fields, {}, drop)
  local unique = get(fields, 'q')
  -- The unique key may have a new holder: then this message goes without it.
  if unique and redis.call('HSETNX', q.unique, unique, get(fields, 'i') or id) == 0 then
    fields = amend(fields, {}, {q = true})
  end
  enqueue(q, fields)
end

-- Sends one, which is mostly one of many plain ones: with no more tables than needed.
local add = {'XADD', q.base, '*'}
local function send(fields, id)
  local n = 3
  for i = 1, #fields, 2 do
    local name = fields[i]
    if special[name] then return send_special(fields, id) end
    if not drop[name] then
      add[n + 1], add[n + 2] = name, fields[i + 1]
      n = n + 2
    end
  end
  redis.call(unpack(add, 1, n))
end

local letters = redis.call('XRANGE', KEYS[5], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local moved = {}
settle_always(q.meta)
-- One that cannot be sent does not make those before it come twice.
local ok, err = pcall(function()
  for i = 1, #letters do
    local id = letters[i][1]
    send(letters[i][2], id)
    moved[i] = id
  end
end)
local last = moved[#moved] or ''
if last ~= '' then
  if ARGV[1] == '-' then -- much cheaper than one by one
    redis.call('XTRIM', KEYS[5], 'MINID', last)
    moved = {last}
  end
  redis.call('XDEL', KEYS[5], unpack(moved))
end
if not ok then error(err, 0) end
return {#letters, last}
