-- Lets a projection begin anew, and takes it from who runs it.
-- KEYS  1 projection
-- Returns 1, or 0 when there is no such projection
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HDEL', KEYS[1], 'owner', 'until', 'position', 'handled', 'at', 'error', 'failed', 'attempts')
return 1
