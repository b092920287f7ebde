-- Note that a session of this key is active, and count those that are.
--
-- KEYS  1 sessions of a key (zset of session ids by the time of their last request, in ms)
-- ARGV  1 session id  2 for how many ms a session counts after its last request
-- Reply number of active sessions, this one included
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
