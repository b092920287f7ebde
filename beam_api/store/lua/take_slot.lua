-- Take a slot among the live keys that one address made for itself.
--
-- KEYS  1 ids of the keys, by when they expire (sorted set)
-- ARGV  1 now in ms  2 most slots, 0 for any number  3 id of the key  4 when it expires, in ms
-- Reply 0 if it was taken, else the ms at which the first slot is free
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if tonumber(ARGV[2]) > 0 and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[3])
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return 0
