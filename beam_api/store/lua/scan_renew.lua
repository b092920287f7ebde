-- The worker of an attempt is alive; maybe it has also come further.
--
-- KEYS  1 session (hash)
-- ARGV  1 number of the attempt  2 lease in ms  3 lifetime of the session in ms  4 progress, '' if not known
--       5 vitals of what was analysed so far, '' if there are no new ones
-- Reply 1; 0 if the session is no longer this attempt's; -1 if there is no such session any more
local SESSION = KEYS[1]
local kept = redis.call('HMGET', SESSION, 'status', 'attempt', 'lease')
if not kept[1] then return -1 end
if kept[1] ~= 'processing' or kept[2] ~= ARGV[1] or not kept[3] then return 0 end

local time = redis.call('TIME')
redis.call('HSET', SESSION, 'lease', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]))
redis.call('PEXPIRE', SESSION, ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', SESSION, 'progress', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', SESSION, 'partial', ARGV[5]) end
return 1
