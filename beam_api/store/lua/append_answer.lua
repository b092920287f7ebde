-- The answer: the newest samples for the running rate, the closed windows that are this request's to analyse or to answer
-- with, and how the window stands.

-- The newest samples, for who first asks in each second of the window.
local function added_newest() return changed and W.n > 0 and T[#T] == W.last end

local function newest_samples(tail)
  local from, every, span, slow, slow_span, slow_every = string.match(look, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  local all = {}
  for i = 1, #tail / 16 do all[i] = struct.unpack('>I8', tail, 16 * i - 15) end
  local interval = #all > 1 and intervals_of(all, 1, #all) or 0
  if W.since and pace and #all < SPARE then interval = pace end
  if interval == 0 then return '' end
  if interval > tonumber(slow) then span, every = slow_span, slow_every end
  local length = W.last - (W.since or W.first) + interval
  local second, reported = math.floor((length + SLACK) / 1000000), tonumber(last[8])
  if length < tonumber(from) or reported and math.floor(second / every) <= math.floor(reported / every) then return '' end
  redis.call('HSET', LAST, 'reported', second)
  redis.call('PEXPIRE', LAST, KEEP_TTL)
  local wanted, records = math.ceil(span / interval) + SPARE, {}
  if W.n >= wanted then
    redis.call('DEL', TAIL)
  elseif rear and not W.next then
    local aside = CLOSED .. ':' .. rear .. ':samples'
    for _, record in ipairs(redis.call('LRANGE', redis.call('EXISTS', aside) == 1 and aside or TAIL, W.n - wanted, -1)) do
      if struct.unpack('>I8', record) <= ended then records[#records + 1] = record end
    end
  end
  for _, record in ipairs(redis.call('LRANGE', SMP, -wanted, -1)) do records[#records + 1] = record end
  return joined(records)
end

-- Which closed windows are this request's to analyse, or to answer with?
local function answers_with(ids)
  if digest == '' then return end
  if redis.call('HLEN', DONE) >= 64 then
    local all = redis.call('HGETALL', DONE)
    for i = 1, #all, 2 do
      if tonumber(string.match(all[i + 1], '^%d+')) <= now then redis.call('HDEL', DONE, all[i]) end
    end
  end
  redis.call('HSET', DONE, digest, digits(now + KEEP_TTL * 1000) .. ':' .. ids)
  redis.call('PEXPIRE', DONE, KEEP_TTL)
end

local function free(id)
  local lease = redis.call('HGET', CLOSED .. ':' .. id, 'lease')
  return lease and tonumber(lease) <= now
end

local from, to                                 -- the time that shared samples are wanted of
local function claim(id)
  local aside = CLOSED .. ':' .. id
  local token = redis.call('HINCRBY', aside, 'attempts', 1)
  redis.call('HSET', aside, 'lease', digits(now + LEASE))
  for _, name in ipairs({ aside, aside .. ':samples', CLOSED }) do redis.call('PEXPIRE', name, KEEP_TTL) end
  local kept = redis.call('HMGET', aside, 'from', 'cut', 'raw', 'size', 'shared', 'mode')
  local records = ''
  if kept[5] then
    from, to = math.min(from or 2 ^ 53, tonumber(kept[1])), math.max(to or 0, tonumber(kept[2]))
  else
    records = joined(redis.call('LRANGE', aside .. ':samples', 0, -1))
  end
  return { id, token, kept[1] or '0', kept[2], kept[3], kept[4], kept[6] or '', records }
end

-- Of sliding windows, and for a request that nobody follows, all; of others the oldest.
local function closed_and_free()
  local ids, most = {}, (final or parts or W.next) and DUE_MOST or 1
  for _, id in ipairs(redis.call('LRANGE', CLOSED, 0, -1)) do
    if redis.call('EXISTS', CLOSED .. ':' .. id) == 0 then
      redis.call('LREM', CLOSED, 0, id)
    elseif #ids < most and free(id) then
      ids[#ids + 1] = id
    end
  end
  return ids
end

local due = {}
if completed then
  for id in string.gmatch(completed, '[^,]+') do
    if free(id) then
      due[#due + 1] = claim(id)
    elseif redis.call('EXISTS', RESULT .. ':' .. id) == 1 or redis.call('EXISTS', CLOSED .. ':' .. id) == 1 then
      due[#due + 1] = { id }
    end
  end
else
  local ids, known = closed_and_free(), {}
  for _, id in ipairs(ids) do
    due[#due + 1] = claim(id)
    known[id] = true
  end
  -- The same frames made these windows before.
  if parts or final then
    for _, id in ipairs(finished) do
      if not known[id] then
        due[#due + 1], known[id] = { id }, true
        ids[#ids + 1] = id
      end
    end
  elseif #due == 0 and #finished > 0 then
    due, ids = { { finished[1] } }, { finished[1] }
  end
  if #ids > 0 then answers_with(table.concat(ids, ',')) end
end
if nothing and #due == 0 then return { 'none' } end

local shared = ''
if from then
  local records = {}
  for _, record in ipairs(redis.call('LRANGE', SMP, 0, -1)) do
    local t = struct.unpack('>I8', record)
    if t >= from and t <= to then records[#records + 1] = record end
  end
  shared = joined(records)
end

-- What is shown of a sliding window is its newest part.
local shown, first = W.n, W.first or 0
if W.next and first < W.last - W.duration then
  local low, high = 0, W.n
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = struct.unpack('>I8', redis.call('GETRANGE', IDX, 16 * middle, 16 * middle + 7))
    if at <= W.last - W.duration then low = middle + 1 else high, first = middle, at end
  end
  shown = W.n - low
end

local tail = W.n > 0 and redis.call('GETRANGE', IDX, math.max(0, 16 * (W.n - 32)), -1) or ''
local newest, partial = '', ''
if #due == 0 and look ~= '' and W.n > 0 then
  if added_newest() then newest = newest_samples(tail) end
  if newest == '' then partial = redis.call('GET', PARTIAL) or '' end
end
if restarted then
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MOST_EVENTS, '*', 'restarted', '1')
  redis.call('PEXPIRE', EVENTS, KEEP_TTL)
  redis.call('PUBLISH', channel, '')
end
local again = {}
for i, twin in ipairs(twins) do again[i] = digits(T[twin]) end
return { 'ok', now, shown, first, W.duration or duration, restarted and 1 or 0, tail, redis.call('GET', FACE) or '', newest,
         again, held and 1 or 0, W.anew or 0, digits(W.jump or 0), W.next and digits(ended) or '', W.stride or stride, partial,
         due, shared }
