-- A worker begins attempt number ARGV[1] at a delivery.
--
-- KEYS  1 webhook (hash)     ARGV  1 number of the attempt
-- Reply { url, id of the API key, body } or { } if another has it, or it is done
local kept = redis.call('HMGET', KEYS[1], 'attempt', 'url', 'key_id', 'body')
if not kept[1] or tonumber(kept[1]) + 1 ~= tonumber(ARGV[1]) then return {} end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1])
return { kept[2], kept[3], kept[4] }
