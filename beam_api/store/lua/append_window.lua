-- The window: what stands in the hash, and the tail of its index that this request may touch; how frames come into it
-- and how it goes.
local W = { n = 0 }
local restarted, opened, changed = false, false, false
local set_back = false                         -- whether the clock was
local twins = {}                               -- frames within 1 ms of a buffered one
local times, marks, base = {}, {}, 0           -- entries base + 1 ... n of the index
local intact = 0                               -- how many entries the index holds already, just as they are
local fresh = {}                               -- records to add to the samples

local stored = redis.call('HMGET', WIN, 'n', 'first', 'last', 'duration', 'mode', 'due', 'thinned', 'raw', 'size', 'at',
                          'since', 'run', 'twin', 'late', 'jumped', 'opened', 'held', 'waiter', 'owed', 'anew', 'jump',
                          'stride', 'next')
if stored[1] and redis.call('STRLEN', IDX) == 16 * stored[1] then
  W = { n = tonumber(stored[1]), first = tonumber(stored[2]), last = tonumber(stored[3]), duration = tonumber(stored[4]),
        mode = stored[5], due = tonumber(stored[6]), thinned = stored[7] == '1', asked = tonumber(stored[8]), size = stored[9],
        at = tonumber(stored[10]), since = tonumber(stored[11]),
        run = tonumber(stored[12]), twin = tonumber(stored[13]), late = stored[14] == '1',
        jumped = tonumber(stored[15]), opened = tonumber(stored[16]), held = tonumber(stored[17]),
        waiter = tonumber(stored[18]), owed = stored[19] == '1', anew = tonumber(stored[20]) or 0,
        jump = tonumber(stored[21]) or 0, stride = tonumber(stored[22]) or tonumber(stored[4]),
        next = tonumber(stored[23]) }
  if #T == 0 then mode = W.mode end
  intact, base = W.n, W.n
end

local ended                                    -- end of the last window, on the clock of this request
local last = redis.call('HMGET', LAST, 'end', 'mode', 'restart', 'final', 'since', 'tail', 'pace', 'reported')
if last[1] and last[2] == mode then ended = tonumber(last[1]) end
local since, rear, pace = tonumber(last[5]), last[6], tonumber(last[7])   -- of the last window, for the running rate

-- Whether this very frame was in the last window: then it is one sent again, and no sign of a restarted clock.
local before
local function was_measured(t, digest)
  before = before or redis.call('GET', W.next and IDX or BEFORE) or ''
  local low, high = 0, #before / 16
  while low < high do
    local middle = math.floor((low + high) / 2)
    if struct.unpack('>I8', before, 16 * middle + 1) < t then low = middle + 1 else high = middle end
  end
  return string.sub(before, 16 * low + 1, 16 * low + 16) == struct.pack('>I8', t) .. digest
end

-- The first of the entries that is not before t: 1 ... #times + 1.
local function lower_bound(t)
  local low, high = 1, #times + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if times[middle] < t then low = middle + 1 else high = middle end
  end
  return low
end

-- Read what stands before the tail, too.
local function load_head()
  if base == 0 then return end
  local head, t, m = redis.call('GETRANGE', IDX, 0, 16 * base - 1), {}, {}
  for i = 1, base do t[i], m[i] = struct.unpack('>I8c8', head, 16 * i - 15) end
  for i = 1, #times do t[base + i], m[base + i] = times[i], marks[i] end
  times, marks, base = t, m, 0
end

local function load_tail(from)
  local low, high = 0, W.n
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at = struct.unpack('>I8', redis.call('GETRANGE', IDX, 16 * middle, 16 * middle + 7))
    if at < from then low = middle + 1 else high = middle end
  end
  base = low
  local tail = redis.call('GETRANGE', IDX, 16 * base, -1)
  for i = 1, #tail / 16 do times[i], marks[i] = struct.unpack('>I8c8', tail, 16 * i - 15) end
end

-- The entries from..to of the tail, packed.
local function packed(from, to)
  local out = {}
  for i = from, to do out[#out + 1] = struct.pack('>I8', times[i]) .. marks[i] end
  return table.concat(out)
end

local function flush_samples()
  for i = 1, #fresh, 1000 do redis.call('RPUSH', SMP, unpack(fresh, i, math.min(i + 999, #fresh))) end
  fresh = {}
end

-- Give a closed part of a sliding window samples of its own.
local function set_aside(id)
  local aside = CLOSED .. ':' .. id
  local kept = redis.call('HMGET', aside, 'shared', 'from', 'cut')
  if not kept[1] then return end
  local from, cut, records = tonumber(kept[2]), tonumber(kept[3]), {}
  for _, record in ipairs(redis.call('LRANGE', SMP, 0, -1)) do
    local t = struct.unpack('>I8', record)
    if t >= from and t <= cut then records[#records + 1] = record end
  end
  for i = 1, #records, 1000 do
    redis.call('RPUSH', aside .. ':samples', unpack(records, i, math.min(i + 999, #records)))
  end
  redis.call('PEXPIRE', aside .. ':samples', KEEP_TTL)
  redis.call('HDEL', aside, 'shared')
end

local function clear()
  if redis.call('EXISTS', CLOSED) == 1 and redis.call('EXISTS', SMP) == 1 then
    for _, id in ipairs(redis.call('LRANGE', CLOSED, 0, -1)) do set_aside(id) end
  end
  redis.call('DEL', WIN, IDX, SMP)
  times, marks, base, intact, fresh = {}, {}, 0, 0, {}
end

local function drop_window()
  if W.next then                               -- what was measured is still known when it is sent again
    load_head()
    redis.call('SET', BEFORE, packed(1, #times), 'PX', KEEP_TTL)
  end
  flush_samples()
  clear()
  W = { n = 0 }
end

-- What the running rate looks back on ends here.
local function look_no_further()
  since, rear, pace, last[8] = nil, nil, nil, false
  redis.call('HDEL', LAST, 'since', 'tail', 'pace', 'reported')
  redis.call('DEL', TAIL, PARTIAL)
end

local function restart()
  drop_window()
  look_no_further()
  redis.call('DEL', PARKED)
  ended = nil
  restarted, set_back = true, true
end

-- Open a window with a frame of time t.
local function open_window(t)
  clear()                                      -- whatever an expiry may have left
  if last[4] then redis.call('HDEL', LAST, 'final') end
  if not (since and ended and t - ended <= SILENCE) then look_no_further() end
  W = { n = 0, duration = duration, stride = math.min(stride, duration), mode = mode, due = 0, thinned = false,
        asked = asked, size = size, at = now, opened = now, anew = 0, jump = 0, since = since }
  opened = true
end

local function slides() return W.stride < W.duration end

local function add_record(t, record)
  fresh[#fresh + 1] = record
  W.n = W.n + 1
  W.first = math.min(W.first or t, t)
  W.last = math.max(W.last or t, t)
end

local function insert_record(k, t, mark, record)
  table.insert(times, k, t)
  table.insert(marks, k, mark)
  intact = math.min(intact, base + k - 1)
  add_record(t, record)
end

local function record_of(i) return struct.pack('>I8', T[i]) .. ARGV[SAMPLE + i] end

local function insert(i, k)
  insert_record(k, T[i], D[i], record_of(i))
  W.asked = bit.bor(W.asked, asked)
  changed = true
end

-- Put these frames in their places, in one pass: one by one, each would move all that comes after it.
local function insert_all(chosen)
  local k, place = #times, #times + #chosen
  for c = #chosen, 1, -1 do
    local i = chosen[c]
    while k > 0 and times[k] > T[i] do
      times[place], marks[place] = times[k], marks[k]
      k, place = k - 1, place - 1
    end
    times[place], marks[place] = T[i], D[i]
    place = place - 1
  end
  if #chosen > 0 then intact = math.min(intact, base + place) end
  for _, i in ipairs(chosen) do add_record(T[i], record_of(i)) end
  W.asked = bit.bor(W.asked, asked)
  changed = true
end
