-- Whose key is this, and has it a place left? A request of a good key takes one in its bucket and counts as used.
-- Its work must fit in the budget of the key too. Runs after moving_window.lua and the functions of `beam_api.store.work`.
--
-- KEYS  1 record of the key (hash)  2 its bucket, without what follows the limit in the name  3 its usage (hash)
--       4 its work (hash)  5 session token (hash)
-- ARGV  1 digest of the secret  2 digest of the visitor's cookie, '' for none  3 now in s  4 window in s
--       5 end of the bucket's name  6 field of the day  7 lifetime of the usage in s
--       8 cost in megapixels  9 1 if a session token was sent, else 0  10... fields of the record
-- Reply { fields of the record } or { fields, { 1 if a place was taken, oldest, count }, { 1 if the work fits, level,
--       limit }, session of the token or '' }: a place is taken and work is spent only if there is room for both. Whether the key is good is for
--       the caller to decide by the record: here it is only seen to that no other request counts. A session token is
--       named by the digest of its secret, so that it is there decides; it must be of the key's present secret.
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, 10))
local known, proof, session = {}, ARGV[1], ''
for i, value in ipairs(record) do known[ARGV[9 + i]] = value or '' end
if ARGV[9] == '1' then
  local token = redis.call('HMGET', KEYS[5], 'session', 'left', 'of')
  proof, session = tonumber(token[2] or 0) > 0 and token[3], token[1]
end
if known.digest ~= proof or known.revoked_at ~= '' or (known.visitor ~= '' and known.visitor ~= ARGV[2]) then
  return { record }
end
local bucket = KEYS[2] .. known.limit_per_minute .. ARGV[5]
local work = weigh(KEYS[4], ARGV[3], ARGV[8], known.tier, known.work_limit)
local standing
if work.fits then
  standing = take(bucket, ARGV[3], known.limit_per_minute, ARGV[4])
  if standing[1] == 1 then spend(KEYS[4], ARGV[3], work) end
else
  standing = { 0, standing_of(bucket, ARGV[3], known.limit_per_minute, ARGV[4]) }
end
if standing[1] == 1 and redis.call('HINCRBY', KEYS[3], ARGV[6], 1) == 1 then
  redis.call('EXPIRE', KEYS[3], ARGV[7])
end
if standing[1] == 1 and session ~= '' then redis.call('HINCRBY', KEYS[5], 'left', -1) end
return { record, standing, { work.fits and 1 or 0, tostring(work.level), tostring(work.limit) }, session }
