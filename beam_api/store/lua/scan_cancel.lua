-- Forget a session with all that belongs to it. What its worker says from now on finds no session and changes nothing.
--
-- KEYS  1 session (hash)  2 log of deliveries  3... webhooks that were written for it
-- ARGV  1 ids of those webhooks, as the caller read them from the session, each followed by a space
-- Reply { 'forgotten', status, upload, number of the last attempt, progress, who paid for the analysis, how many s } or { 'gone' } or { 'changed' }: another webhook has
--       been written meanwhile, look again
local SESSION = KEYS[1]
local kept = redis.call('HMGET', SESSION, 'status', 'upload', 'attempt', 'deliveries', 'progress', 'payer', 'paid')
if not kept[1] then return { 'gone' } end
if (kept[4] or '') ~= ARGV[1] then return { 'changed' } end

redis.call('DEL', unpack(KEYS))
return { 'forgotten', kept[1], kept[2] or '', tonumber(kept[3] or '0'), kept[5] or '0', kept[6] or '', kept[7] or '0' }
