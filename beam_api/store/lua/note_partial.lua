-- Keep a running rate, for the requests until the next one is found, and notify listeners.
--
-- KEYS  1 partial (string)     ARGV  1 the rate  2 lifetime in ms  3 channel of the session
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[1])
