-- Note what became of an attempt at a delivery, for as long as the session lives.
--
-- KEYS  1 session (hash)  2 log (list)     ARGV  1 entry
local left = redis.call('PTTL', KEYS[1])
if left > 0 then
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], left)
end
