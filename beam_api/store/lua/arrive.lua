-- A request has come in: what time is it, has this request completed a window before, and where was the face?
-- Frames without timestamps get their times here, in the order in which they ask, so that two processes never give
-- out one time twice.
--
-- KEYS  1 clock (string: the last time given out)  2 done (hash)  3 face (string)  4 coming (zset: digests of
--       requests that are being read, by arrival in us)
-- ARGV  1 request digest, '' if unstamped  2 number of frames to give times to, 0 if stamped
--       3 frame interval in us, 0 for a single frame that takes its arrival time
-- Reply { now, time of the first frame, 1 if this request completed a window, face or false }
local CLOCK, DONE, FACE, COMING = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local AGREES = 1000000     -- continue at the last frame if that is within 1 s of the clock
local NEAR = 1000          -- distinct frames are at least 1 ms apart
local CLOCK_TTL_MS = 120000
local COMING_TTL_MS = 10000

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local first = now
local count, interval = tonumber(ARGV[2]), tonumber(ARGV[3])
if count > 0 then
  local given = tonumber(redis.call('GET', CLOCK) or '')
  if interval == 0 then
    -- A clock set back by more than a second is followed; less is bridged.
    if given and given + NEAR > now and given - now <= AGREES then first = given + NEAR end
  else
    local length = (count - 1) * interval
    first = now - length
    if given and math.abs(given + interval + length - now) <= AGREES then first = given + interval end
  end
  first = math.max(0, math.floor(first + 0.5))
  redis.call('SET', CLOCK, string.format('%.0f', first + (count - 1) * interval), 'PX', CLOCK_TTL_MS)
end

local completed = 0
if ARGV[1] ~= '' then
  redis.call('ZADD', COMING, string.format('%.0f', now), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', COMING, '-inf', string.format('(%.0f', now - COMING_TTL_MS * 1000))
  redis.call('PEXPIRE', COMING, COMING_TTL_MS)
  local known = redis.call('HGET', DONE, ARGV[1])
  if known and tonumber(string.match(known, '^%d+')) > now then completed = 1 end
end
return { now, first, completed, redis.call('GET', FACE) }
