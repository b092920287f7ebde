-- The budget of scans, a leaky bucket: seconds of analysis fill it, and a limit's worth leaks out in an hour. A scan that
-- is more than the whole limit is taken when the bucket is empty.
--
-- KEYS  1 budget (hash)
-- ARGV  1 limit in s an hour  2 seconds to spend; below 0 they are given back, at 0 it is only looked whether any are left
-- Reply { 1 if they were spent, or if any are left, else 0; level in s }
local HOUR_S = 3600
local limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local since = math.max(0, now - tonumber(kept[2] or now))
local level = math.max(0, tonumber(kept[1] or 0) - since * limit / HOUR_S)
if cost == 0 then return { level < limit and 1 or 0, tostring(level) } end
if cost > 0 and level > 0 and level + cost > limit then return { 0, tostring(level) } end
level = math.min(limit, math.max(0, level + cost)) -- so nobody is remembered for more than an hour
if level == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', KEYS[1], math.ceil(level / limit * HOUR_S))
end
return { 1, tostring(level) }
