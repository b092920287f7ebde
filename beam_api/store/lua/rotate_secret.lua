-- Go on to the next webhook secret; the one before it is remembered with the time it was replaced at.
--
-- KEYS  1 version (string)  2 replaced versions (zset by time)     ARGV  1 most replaced ones to keep  2 for how many s
-- Reply the new version
local time = redis.call('TIME')
local version = redis.call('INCR', KEYS[1])
redis.call('ZADD', KEYS[2], time[1], version - 1)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -ARGV[1] - 1)
redis.call('EXPIRE', KEYS[2], ARGV[2])
return version
