-- The analysis has ended. Only the newest attempt may say so, and only once. The webhook that is owed is written in
-- the same step, so that neither is without the other.
--
-- KEYS  1 session (hash)  2 webhook (hash)
-- ARGV  1 number of the attempt  2 status  3 field ('vitals' or 'error')  4 its value  5 lifetime of the session in ms
--       6 lifetime of the webhook in ms  7 its id  8 its body, '' for none  9 id of the API key
-- Reply { 'saved', upload } or { 'stale' } or { 'gone' }
local SESSION, WEBHOOK = KEYS[1], KEYS[2]
local kept = redis.call('HMGET', SESSION, 'status', 'attempt', 'upload', 'webhook_url', 'deliveries')
if not kept[1] then return { 'gone' } end
if kept[1] ~= 'processing' or tonumber(kept[2] or '0') ~= tonumber(ARGV[1]) then return { 'stale' } end

redis.call('HSET', SESSION, 'status', ARGV[2], ARGV[3], ARGV[4])
redis.call('HDEL', SESSION, 'lease', 'deadline', 'claimed', 'progress', 'partial', 'upload')
redis.call('PEXPIRE', SESSION, ARGV[5])
if ARGV[8] ~= '' then
  redis.call('HSET', SESSION, 'deliveries', (kept[5] or '') .. ARGV[7] .. ' ')
  redis.call('HSET', WEBHOOK, 'id', ARGV[7], 'url', kept[4], 'key_id', ARGV[9], 'body', ARGV[8], 'attempt', '0')
  redis.call('PEXPIRE', WEBHOOK, ARGV[6])
end
return { 'saved', kept[3] }
