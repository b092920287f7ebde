-- A video has been uploaded: from now on its session is being processed. Only one video at a time, and none after a
-- completed one.
--
-- KEYS  1 session (hash)
-- ARGV  1 name of the upload  2 lifetime of the session in ms  3 most ms for one attempt
--       4 who pays for the analysis  5 how many s
-- Reply { 'accepted', number of the last attempt at any video of this session } or { 'gone' } or { status }
local SESSION = KEYS[1]
local status = redis.call('HGET', SESSION, 'status')
if not status then return { 'gone' } end
if status ~= 'pending' and status ~= 'failed' then return { status } end

local time = redis.call('TIME')
redis.call('HDEL', SESSION, 'error', 'vitals', 'partial', 'lease', 'claimed', 'deadline', 'tries')
redis.call('HSET', SESSION, 'status', 'processing', 'upload', ARGV[1], 'progress', '0', 'limit', ARGV[3],
  'payer', ARGV[4], 'paid', ARGV[5],
  'uploaded', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('PEXPIRE', SESSION, ARGV[2])
return { 'accepted', tonumber(redis.call('HGET', SESSION, 'attempt') or '0') }
