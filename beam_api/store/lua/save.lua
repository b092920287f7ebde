-- Keep the result of a closed window and release the window. Only the newest claim may, and only once.
--
-- KEYS  1 closed (list of ids)  2 the closed window (hash)  3 its samples  4 result (string)  5 results (zset by time)
--       6 last (hash)  7 tail (list: the newest samples of the last window)  8 window  9 samples of the open window
--       10 trend (list of the time in ms, 8 bytes, and what is kept of a measurement for it)
--       11 events (stream: events for listeners)
-- ARGV  1 id  2 token  3 result  4 what is kept for the trend, '' for nothing  5 channel of the session
-- Reply saved; exists (somebody else's save came first); stale (a newer claim is at work); gone (forgotten meanwhile)
local KEEP_MS, TAIL_MS, EVENTS_MS = 86400000, 60000, 600000
local MOST_IN_TREND, MOST_EVENTS = 1000, 4096
local QUICK_US, SPAN_US, SLOW_SPAN_US, SPARE = 125000, 10000000, 30000000, 8   -- what the running rate looks back on
if redis.call('EXISTS', KEYS[4]) == 1 then return 'exists' end
local kept = redis.call('HMGET', KEYS[2], 'attempts', 'n', 'duration', 'shared')
if not kept[1] then return 'gone' end
if kept[1] ~= ARGV[2] then return 'stale' end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[4], ARGV[3], 'PX', KEEP_MS)
redis.call('ZADD', KEYS[5], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now - KEEP_MS))
redis.call('PEXPIRE', KEYS[5], KEEP_MS)
if ARGV[4] ~= '' then
  redis.call('RPUSH', KEYS[10], struct.pack('>I8', now) .. ARGV[4])
  redis.call('LTRIM', KEYS[10], -MOST_IN_TREND, -1)
  while struct.unpack('>I8', redis.call('LINDEX', KEYS[10], 0)) < now - KEEP_MS do redis.call('LPOP', KEYS[10]) end
  redis.call('PEXPIRE', KEYS[10], KEEP_MS)
end
redis.call('XADD', KEYS[11], 'MAXLEN', '~', MOST_EVENTS, '*', 'measurement', ARGV[1])
redis.call('PEXPIRE', KEYS[11], EVENTS_MS)
redis.call('PUBLISH', ARGV[5], '')
redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('DEL', KEYS[2])

if redis.call('HGET', KEYS[6], 'tail') == ARGV[1] and redis.call('EXISTS', KEYS[3]) == 1 then
  -- The next window has no 10 s of its own yet.
  local interval = kept[3] / kept[2]
  redis.call('RENAME', KEYS[3], KEYS[7])
  redis.call('LTRIM', KEYS[7], -(math.ceil((interval > QUICK_US and SLOW_SPAN_US or SPAN_US) / interval) + SPARE), -1)
  redis.call('PEXPIRE', KEYS[7], TAIL_MS)
else
  redis.call('DEL', KEYS[3])
end
if kept[4] and redis.call('EXISTS', KEYS[1]) == 0 then
  -- Nobody needs the shared samples any longer than the window does.
  local left = redis.call('PTTL', KEYS[8])
  if left > 0 then redis.call('PEXPIRE', KEYS[9], left) else redis.call('DEL', KEYS[9]) end
end
return 'saved'
