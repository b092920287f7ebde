-- Charge a key's work budget for a request that was admitted before its body was read.
-- After the functions of `beam_api.store.work`.
--
-- KEYS  1 the key's work (hash)  2 its record (hash)
-- ARGV  1 now in s  2 cost in megapixels
-- Reply { 1 if it fits, level, limit }
local known = redis.call('HMGET', KEYS[2], 'tier', 'work_limit')
local work = weigh(KEYS[1], ARGV[1], ARGV[2], known[1], known[2])
if work.fits then spend(KEYS[1], ARGV[1], work) end
return { work.fits and 1 or 0, tostring(work.level), tostring(work.limit) }
