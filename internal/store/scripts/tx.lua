-- Commits a transaction: all of it or nothing.
--
-- It is made of records: kind, how many keys and how many arguments it has, and these
-- arguments; their keys stand in KEYS, one record's behind the other's. "add" is an XADD.
-- Every other kind is a script of its own, which txscript.go makes a function of its
-- KEYS and ARGV: those of tx_*.lua, and the moves as they are outside of
-- transactions.
--
-- First come the checks, which write nothing and set refused; then the caller's own
-- commands, which undo all of them when one fails, and set refused; then the moves,
-- which cannot be refused any more.
-- KEYS  those of all records
-- ARGV  all records
-- Returns {"ok", reply of each record, …} | {"refused", number of the record from 0, why, …}
local replies, record, k, a = {'ok'}, 0, 1, 1
while ARGV[a] do
  local kind, keys, args = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local reply
  if kind == 'add' then
    reply = redis.call('XADD', KEYS[k], '*', unpack(ARGV, a + 3, a + 2 + args))
  else
    local itsKeys, itsArgs = {}, {}
    for i = 1, keys do itsKeys[i] = KEYS[k + i - 1] end
    for i = 1, args do itsArgs[i] = ARGV[a + 2 + i] end
    reply = kinds[kind](itsKeys, itsArgs)
    if refused then return {'refused', record, unpack(refused)} end
  end
  record = record + 1
  replies[record + 1] = reply or false -- nil would end the list
  k, a = k + keys, a + 3 + args
end
return replies
