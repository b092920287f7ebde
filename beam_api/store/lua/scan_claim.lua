-- A worker begins attempt number ARGV[1] at a video: the first one gets it, under a lease.
--
-- KEYS  1 session (hash)
-- ARGV  1 number of the attempt  2 lease in ms  3 lifetime of the session in ms  4 most ms for an attempt, and
--       5 for all together, at videos up to five minutes
-- Reply { upload, ms left for the attempt } or { } if there is nothing to do
local SESSION = KEYS[1]
local kept = redis.call('HMGET', SESSION, 'status', 'attempt', 'upload', 'deadline', 'claimed', 'limit')
if kept[1] ~= 'processing' or tonumber(kept[2] or '0') + 1 ~= tonumber(ARGV[1]) then return {} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(kept[6] or ARGV[4])
local together = limit > tonumber(ARGV[4]) and 2 * limit or tonumber(ARGV[5])
local deadline = tonumber(kept[4] or '') or now + together
if now >= deadline then return {} end
redis.call('HSET', SESSION, 'attempt', ARGV[1], 'progress', '0',
  'lease', string.format('%.0f', now + ARGV[2]),
  'deadline', string.format('%.0f', deadline),
  'claimed', kept[5] or string.format('%.0f', now))
redis.call('HDEL', SESSION, 'partial')
redis.call('HINCRBY', SESSION, 'tries', 1)
redis.call('PEXPIRE', SESSION, ARGV[3])
return { kept[3], string.format('%.0f', math.min(deadline - now, limit)) }
