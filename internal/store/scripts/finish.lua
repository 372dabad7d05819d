-- Ends the life of messages that have more to them than their entry, if the
-- consumer still owns them: acknowledges and deletes them, keeps their results,
-- frees their unique keys, and lets the next ones with their ordering keys go on.
-- KEYS  1 stream, 2 workers, 3 base, 4 order, 5 unique, 6 meta
-- ARGV  1 group, 2 consumer, 3… for each: entry, the epoch it believes in (see
--       done.lua), id, ordering key, unique key, ms to keep its result for, the
--       result, the counter in meta that it counts for and whose name says how it
--       ended ("" = none, for each)
-- Returns {epoch now or "", entry that was lost, …}
local q = queue(KEYS, 3)
local epoch = redis.call('HGET', KEYS[2], ARGV[2])
local result = {epoch or ''}
local entries, notes = {}, {} -- to delete
for i = 3, #ARGV, 8 do
  local entry = ARGV[i]
  if epoch ~= ARGV[i + 1] and not owned(KEYS[1], ARGV[1], ARGV[2], entry) then
    result[#result + 1] = entry
  elseif redis.call('XACK', KEYS[1], ARGV[1], entry) == 1 then -- 0: done before, the reply was lost
    local id, counter = ARGV[i + 2], ARGV[i + 7]
    entries[#entries + 1], notes[#notes + 1] = entry, q.base .. ':progress:' .. id
    finish(q, id, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], counter ~= '' and counter or 'done', ARGV[i + 6])
    if counter ~= '' then redis.call('HINCRBY', q.meta, counter, 1) end
    if counter == 'canceled' then redis.call('ZREM', q.base .. ':canceled', id) end
  end
end
if #entries > 0 then
  if ARGV[1] == 'leanmq' then redis.call('XDEL', KEYS[1], unpack(entries)) end -- see done.lua
  redis.call('DEL', unpack(notes))
end
return result
