-- An attempt may have died: its process is known to have, or its lease has run out. May another one be made?
--
-- KEYS  1 session (hash)
-- ARGV  1 number of the attempt  2 1 if it is known to have died  3 most attempts  4 most ms for the next one at a video up to
--       five minutes  5 most ms for an attempt at such a video
-- Reply { 'moved' } (ended, gone, or another attempt's), { 'alive', end of the lease in ms },
--       { 'retry', number } (it waits for its next attempt now; the number is void, so that the one that lapsed can
--       say no more), { 'failed' } (there is no next one)
local SESSION = KEYS[1]
local kept = redis.call('HMGET', SESSION, 'status', 'attempt', 'lease', 'tries', 'deadline', 'limit')
if kept[1] ~= 'processing' or kept[2] ~= ARGV[1] or not kept[3] then return { 'moved' } end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '1' and tonumber(kept[3]) > now then return { 'alive', kept[3] } end
local limit = tonumber(kept[6] or ARGV[5])
local deadline = math.min(tonumber(kept[5]), now + (limit > tonumber(ARGV[5]) and limit or tonumber(ARGV[4])))
if tonumber(kept[4]) >= tonumber(ARGV[3]) or deadline <= now then return { 'failed' } end
redis.call('HDEL', SESSION, 'lease')
redis.call('HSET', SESSION, 'deadline', string.format('%.0f', deadline), 'progress', '0')
return { 'retry', redis.call('HINCRBY', SESSION, 'attempt', 1) }
