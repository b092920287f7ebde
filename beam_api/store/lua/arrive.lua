-- A request has come in: what time is it, has this request completed a window before, and where was the face?
-- Frames without timestamps get their times here, in the order in which they ask, so that two processes never give
-- out one time twice.
--
-- KEYS  1 clock (string: the last time given out)  2 done (hash)  3 face (string)  4 coming (zset: digests of
--       requests that are being read, by arrival in us)  5 feeders (hash: connections that sent frames lately, each with
--       the time of its last request in us and the number of its requests)  6 window
-- ARGV  1 request digest, '' if unstamped  2 number of frames to give times to, 0 if stamped
--       3 frame interval in us, 0 for a single frame that takes its arrival time  4 the connection, or '' if nothing is
--       to be said of it
-- Reply { now, time of the first frame, 1 if this request completed a window, face or false, 1 if another connection
--         feeds the open window too }
local CLOCK, DONE, FACE, COMING, FEEDERS, WINDOW = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local AGREES = 1000000     -- continue at the last frame if that is within 1 s of the clock
local NEAR = 1000          -- distinct frames are at least 1 ms apart
local CLOCK_TTL_MS = 120000
local COMING_TTL_MS = 10000
local FED = 5000000        -- who sent frames within this time feeds the window
local FEEDERS_TTL_MS = 60000
local MOST_FEEDERS = 16

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

-- Whether another connection feeds the window too. A client that opens a connection for each request is one as well: it
-- leaves connections of one request each, none of which comes back. Of these only the second is taken for another.
local function fed_by_another(me)
  local known, kept, oldest, oldest_at = redis.call('HGET', FEEDERS, me), 0, nil, math.huge
  local since, requests = string.match(known or '0 0', '^(%d+) (%d+)$')
  since = tonumber(since)
  local feeding, lasting, passing = false, false, 0
  local all = redis.call('HGETALL', FEEDERS)
  for i = 1, #all, 2 do
    local at, count = string.match(all[i + 1], '^(%d+) (%d+)$')
    at = tonumber(at)
    if all[i] ~= me then
      if now - at > FEEDERS_TTL_MS * 1000 then
        redis.call('HDEL', FEEDERS, all[i])
      else
        kept = kept + 1
        if at < oldest_at then oldest, oldest_at = all[i], at end
        if count == '1' then passing = passing + 1 end
        if now - at <= FED then
          feeding = feeding or at >= since
          lasting = lasting or count ~= '1'
        end
      end
    end
  end
  if kept >= MOST_FEEDERS then redis.call('HDEL', FEEDERS, oldest) end
  redis.call('HSET', FEEDERS, me, string.format('%.0f %d', now, math.min(tonumber(requests) + 1, 9)))
  redis.call('PEXPIRE', FEEDERS, FEEDERS_TTL_MS)
  local hops = not known and not lasting and passing > 1
  return feeding and not hops and redis.call('EXISTS', WINDOW) == 1
end

local shared = ARGV[4] ~= '' and fed_by_another(ARGV[4])
return { now, first, completed, redis.call('GET', FACE), shared and 1 or 0 }
