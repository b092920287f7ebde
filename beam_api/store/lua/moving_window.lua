-- A rate limit over a moving window. Other scripts begin with these functions.
-- A bucket is a list of times in seconds, the newest first, no longer than its limit.

-- The time of the oldest request in the window and the number of requests in it; nothing if there is none.
local function standing_of(bucket, now, limit, window)
  local count, above = 0, tonumber(limit)
  while count < above do -- requests before `count` are in the window, those from `above` on have left it
    local middle = math.floor((count + above - 1) / 2)
    local at = redis.call('LINDEX', bucket, middle)
    if at and tonumber(at) >= now - window then count = middle + 1 else above = middle end
  end
  if count > 0 then return redis.call('LINDEX', bucket, count - 1), count end
end

-- Take a place: { 1 or 0, oldest, count } after it, without the last two if the window is empty.
-- A bucket whose newest request is far in the future was filled before the clock was set back. It would stay full for
-- as long, so it starts anew.
local function take(bucket, now, limit, window)
  local newest = redis.call('LINDEX', bucket, 0)
  if newest and newest - now > CLOCK_SLACK_S then redis.call('DEL', bucket) end
  local last = tonumber(limit) > 0 and redis.call('LINDEX', bucket, limit - 1)
  local taken = tonumber(limit) > 0 and not (last and tonumber(last) >= now - window)
  if taken then
    redis.call('LPUSH', bucket, tonumber(now))
    redis.call('LTRIM', bucket, 0, limit - 1)
    redis.call('EXPIRE', bucket, window)
  end
  return { taken and 1 or 0, standing_of(bucket, now, limit, window) }
end
