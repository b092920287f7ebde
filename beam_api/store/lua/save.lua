-- Keep the result of a closed window and release the window. Only the newest claim may, and only once.
--
-- KEYS  1 closed (list of ids)  2 the closed window (hash)  3 its samples  4 result (string)  5 results (zset by time)
-- ARGV  1 id  2 token  3 result
-- Reply saved; exists (somebody else's save came first); stale (a newer claim is at work); gone (forgotten meanwhile)
local KEEP_MS = 86400000
if redis.call('EXISTS', KEYS[4]) == 1 then return 'exists' end
local token = redis.call('HGET', KEYS[2], 'attempts')
if not token then return 'gone' end
if token ~= ARGV[2] then return 'stale' end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[4], ARGV[3], 'PX', KEEP_MS)
redis.call('ZADD', KEYS[5], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - KEEP_MS))
redis.call('PEXPIRE', KEYS[5], KEEP_MS)
redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return 'saved'
