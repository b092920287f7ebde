-- Give a claimed window back, so that the next request may claim it at once.
--
-- KEYS  1 the closed window (hash)     ARGV  1 token
if redis.call('HGET', KEYS[1], 'attempts') == ARGV[1] then redis.call('HSET', KEYS[1], 'lease', 0) end
