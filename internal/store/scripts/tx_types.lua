-- Checks that keys are of the types that moves will take them for: what would fail at
-- that fails here, where nothing has been written yet.
-- KEYS  the keys
-- ARGV  the type of each
-- Refuses with {key, its type, the type it should have}
for i = 1, #KEYS do
  local is = redis.call('TYPE', KEYS[i]).ok
  if is ~= 'none' and is ~= ARGV[i] then
    refused = {KEYS[i], is, ARGV[i]}
    return
  end
end
