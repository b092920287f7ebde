-- Forget all of a session: its window, the closed ones, its face, its results and the memory of its requests.
--
-- KEYS  1 closed (list of ids)  2 results (zset of ids)  3 prefix of results  4... the session's other keys
-- Reply the ids of the results, and of those closed windows to which somebody may have led already
local ids = redis.call('ZRANGE', KEYS[2], 0, -1)
for _, id in ipairs(ids) do redis.call('DEL', KEYS[3] .. ':' .. id) end
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', KEYS[1] .. ':' .. id, KEYS[1] .. ':' .. id .. ':samples')
  ids[#ids + 1] = id
end
redis.call('DEL', unpack(KEYS))
return ids
