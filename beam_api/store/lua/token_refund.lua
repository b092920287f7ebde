-- Give a session token a request back, if it is still there: one that expired must not come back as half a record.
--
-- KEYS  1 token (hash)
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'left', 1) end
