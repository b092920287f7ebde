-- Give a key another secret, if its present one is still the one that asked: of two that ask at once, one is answered
-- with a secret that works, and the other one learns that its own no longer works.
--
-- KEYS  1 record (hash)
-- ARGV  1 digest of the present secret  2 of the new one  3 last four characters of the new one
--       4 when the key expires now, '' for never  5 the same in Unix ms
-- Reply 1 if it was done
local kept = redis.call('HMGET', KEYS[1], 'digest', 'revoked_at')
if kept[1] ~= ARGV[1] or (kept[2] and kept[2] ~= '') then return 0 end
redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'last4', ARGV[3], 'expires_at', ARGV[4])
if ARGV[4] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[5]) end
return 1
