-- Note when a key was revoked, if it is still there: one that expired meanwhile must not come back as an empty record.
--
-- KEYS  1 record (hash)
-- ARGV  1 the time
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'revoked_at', ARGV[1]) end
