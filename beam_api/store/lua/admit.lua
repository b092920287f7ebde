-- Whose key is this, and has it a place left? A request of a good key takes one in its bucket and counts as used.
-- After the functions of `beam_api.store.limits`.
--
-- KEYS  1 record of the key (hash)  2 its bucket, without what follows the limit in the name  3 its usage (hash)
-- ARGV  1 digest of the secret  2 digest of the visitor's cookie, '' for none  3 now in s  4 window in s
--       5 end of the bucket's name  6 field of the day  7 lifetime of the usage in s  8... fields of the record
-- Reply { fields of the record } or { fields, 1 if a place was taken, oldest, count }. Whether the key is good is for
--       the caller to decide by the record: here it is only seen to that no other request counts.
local record = redis.call('HMGET', KEYS[1], unpack(ARGV, 8))
local known = {}
for i, value in ipairs(record) do known[ARGV[7 + i]] = value or '' end
if known.digest ~= ARGV[1] or known.revoked_at ~= '' or (known.visitor ~= '' and known.visitor ~= ARGV[2]) then
  return { record }
end
local standing = take(KEYS[2] .. known.limit_per_minute .. ARGV[5], ARGV[3], known.limit_per_minute, ARGV[4])
if standing[1] == 1 and redis.call('HINCRBY', KEYS[3], ARGV[6], 1) == 1 then
  redis.call('EXPIRE', KEYS[3], ARGV[7])
end
return { record, unpack(standing) }
