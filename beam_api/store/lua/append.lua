-- Add the frames of one request to the session's window; close the window if that fills it; claim a closed window
-- that nobody is analysing. All in one step, so that requests racing at several processes see one order.
--
-- A window is three keys: a hash with its state; an index, the string of its (time, digest) entries sorted by time,
-- 16 bytes each; and a list of its (time, sample) records in the order of arrival. The list costs 4 bytes a record
-- beyond its content, and the index can be searched in place: a request costs what its own frames cost, however
-- full the window.
-- Times are whole microseconds below 2^53, so Lua's doubles hold them exactly; they travel as 8 bytes, big-endian.
--
-- A window with a stride slides: when it is full it is not moved aside. Each time that capture time passes another
-- stride, what is closed is a part of it, from one time to another; its samples stay in the one list, which every
-- measurement under way shares, and are copied only if the list lets go of them before there is a result.
--
-- KEYS  1 window (hash)  2 index (string)  3 samples (list)
--       4 last (hash: end of the last window, last restart, what the running rate looks back on)
--       5, 6 seen, and seen before that (strings of request digests)  7 done (hash: request digest -> window it completed)
--       8 closed (list of ids; prefix of the closed windows)  9 face (string)  10 prefix of results
--       11 index of the last window that was closed (string)  12 parked (list of digest, time, sample: frames that a
--       jump in capture time put aside)  13 coming (zset: digests of requests that are being read, by arrival in us)
--       14 tail (list: the newest samples of the last window)  15 partial (string: the running rate as last shown)
--       16 events (stream: events for listeners)
-- ARGV  1 request digest, '' if unstamped  2 mode: s or u for images with timestamps or without, c for samples (they
--       always have timestamps)  3 duration in us
--       4 what is asked of the measurement, bits: 1 raw signals, 2 series
--       5 frame size  6 face or ''  7 when the newest samples are wanted too: '' for never, or numbers as `Look` has
--       8 1 if what a jump drops is put aside, and a full window with an open gap waits for late frames; else 0
--       9 stride in us, the duration for windows that don't overlap  10 1 if the window closes with this request
--       11 channel that notifies listeners of news
--       12 entries: (time, digest) of each frame, sorted by time, 16 bytes each  13... their samples
-- Reply { what, now, n, first, duration, restarted, last 32 entries, face, newest samples, twins, held, anew, jump,
--       end of the last window if another part of this one comes next, stride, running rate, due, shared samples },
--       what being ok, or the errors mixed, after which comes the window's mode, and none (there is no window to close).
--       Held is 1 if a full window waits for late frames and this request is to see to it that it is closed. Anew
--       counts the requests in a row that began a window after a jump, the last of them by `jump` us.
--       Twins are the times of this request's frames that lie within 1 ms of another frame that is buffered.
--       Due are the closed windows that this request is answered with, oldest first: { id } of one that another
--       request has or had, or a claim { id, token, from, cut, asked, size, samples }. Without samples of its own it
--       uses the shared ones. Of windows that don't slide there is at most one.
--       Samples come as one string, each record after its length: a thousand replies would cost the client milliseconds
local WIN, IDX, SMP, LAST, SEEN, OLD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local DONE, CLOSED, FACE, RESULT, BEFORE = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local PARKED, COMING, TAIL, PARTIAL, EVENTS = KEYS[12], KEYS[13], KEYS[14], KEYS[15], KEYS[16]
local digest, mode, duration, asked, size = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local face, look, patient, stride, final = ARGV[6], ARGV[7], ARGV[8] == '1', tonumber(ARGV[9]), ARGV[10] == '1'
local channel, entries, SAMPLE = ARGV[11], ARGV[12], 12

local SILENCE = 5000000       -- a longer gap between frames ends a window; older frames than that mean a restarted clock
local NEAR = 1000             -- two frames closer than this have one time as far as clocks can say: the first is taken
local RUN = 3                 -- twins of so many buffered frames in a row are a clock that was set back
local SLACK = 1000            -- how much may be missing from a full window
local INTERVAL = 16666        -- frames above 60 a second are thinned ...
local JITTER = 8000           -- ... but one may be this early without being one too many
local PARK_MOST, PARK_TTL = 2000, 20000   -- most frames put aside by jumps in capture time, and for how many ms
local GAP = 200000            -- a gap longer than this, and than three median intervals, may be a batch still on its way
local QUIET, HOLD = 1500000, 10000000      -- a full window waits until no frame has come for so long; and at most so long
local RECENT = 5000000        -- only gaps this new, and windows this young, are waited for
local COMING_US = 10000000    -- a request that came longer ago than this is no longer being read
local MOST = 18000            -- samples a window; 300 s at 60 a second
local LEASE = 10000000
local SPARE = 8               -- samples beyond the newest that are wanted, for late ones among them
local SHORT = 10000000        -- a window that a request closes is measured from this length on
local EXCESS, SHARE = 1000000, 16          -- a sliding window holds so much more than its duration, or this share of it
local PINNED = 15000000       -- samples this much older still stay in it while a measurement that needs them is made
local MOST_EVENTS = 4096      -- in the log for listeners, of 10 minutes
local DUE_MOST = 64           -- closed windows that one request is answered with
local WINDOW_TTL, KEEP_TTL = 120000, 600000        -- ms: an open window; what retries need
local SEEN_TTL, SEEN_BYTES = 1200000, 32768        -- a generation of digests serves half its lifetime

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function digits(number) return string.format('%.0f', number) end

-- The frames of the request -------------------------------------------------------------------------------------
local T, D, skip = {}, {}, {}
for i = 1, #entries / 16 do
  T[i], D[i] = struct.unpack('>I8c8', entries, 16 * i - 15)
end

-- The window: what stands in the hash, and the tail of its index that this request may touch ---------------------
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

local function middle(sorted)
  local count = #sorted
  return (sorted[math.floor((count + 1) / 2)] + sorted[math.floor(count / 2) + 1]) / 2
end

-- The median and the longest of the intervals between the times from..to, and all of them, sorted.
local function intervals_of(all, from, to)
  local intervals = {}
  for i = 1, to - from do intervals[i] = all[from + i] - all[from + i - 1] end
  table.sort(intervals)
  return middle(intervals), intervals[#intervals], intervals
end

-- Whether the first m entries make a full window, and whether there is a gap in it. The median interval is at most twice the mean one (half of the
-- intervals are at least as long), so it is worked out only in the last moments of a window.
local function full(m)
  if m >= MOST then return true end
  local span = times[m - base] - W.first
  local enough = W.duration - SLACK
  if m < 2 or span + 2 * span / (m - 1) < enough then return false end
  local head = base > 0 and redis.call('GETRANGE', IDX, 0, 16 * base - 1) or ''
  local all = {}
  for i = 1, m do all[i] = i > base and times[i - base] or struct.unpack('>I8', head, 16 * i - 15) end
  local median, longest = intervals_of(all, 1, m)
  return span + median >= enough, longest > math.max(GAP, 3 * median)
end

-- Whether there is a gap that may be filled since a sliding window was last measured.
local function gap_since_cut(m)
  if not (W.jumped and now - W.jumped < RECENT) then return false end
  load_head()
  local most = math.max(GAP, 3 * (W.last - W.first) / math.max(1, W.n - 1))
  for i = math.max(2, lower_bound(ended + 1)), m do
    if times[i] - times[i - 1] > most then return true end
  end
  return false
end

-- The first entry of the fewest newest ones up to m that make a full window.
local function first_of_newest(m)
  local cut, enough = times[m], W.duration - SLACK
  local least = math.max(1, lower_bound(cut - W.duration) - 1, m - MOST + 1)
  if m - least < 1 then return least end
  local best, k, _, longest, sorted = least, least, intervals_of(times, least, m)
  while k + 1 < m and cut - times[k + 1] + longest >= enough do
    local interval, low, high = times[k + 1] - times[k], 1, #sorted
    while low < high do                        -- what is left out may move the median
      local at = math.floor((low + high) / 2)
      if sorted[at] < interval then low = at + 1 else high = at end
    end
    table.remove(sorted, low)
    k = k + 1
    if cut - times[k] + middle(sorted) >= enough then best = k end
  end
  return best
end

-- Requests sent side by side come in any order, so the frames between a jump in capture time and its other side may be
-- on their way. What the jump drops is put aside for a while; if it turns out to join the window, it goes back.
local function park_window()
  flush_samples()
  if patient and mode ~= 'u' and W.n <= PARK_MOST then
    load_head()
    local mark_of, records = {}, {}
    for i = W.next and lower_bound(ended + 1) or 1, #times do mark_of[times[i]] = marks[i] end
    for _, record in ipairs(redis.call('LRANGE', SMP, 0, -1)) do
      local mark = mark_of[struct.unpack('>I8', record)]
      if mark then records[#records + 1] = mark .. record end
    end
    for i = 1, #records, 1000 do redis.call('RPUSH', PARKED, unpack(records, i, math.min(i + 999, #records))) end
    redis.call('LTRIM', PARKED, -PARK_MOST, -1)
    redis.call('PEXPIRE', PARKED, PARK_TTL)
  end
  drop_window()
  look_no_further()
end

-- Put a parked frame in its place, unless it is there already or one too many.
local function rejoin(frame)
  local t, k = frame[1], lower_bound(frame[1])
  local gap = INTERVAL - JITTER
  if (times[k] and times[k] - t < gap) or (k > 1 and t - times[k - 1] < gap) then return end
  insert_record(k, t, frame[2], frame[3])
end

-- Whether parked frames joined the window.
local function join_parked()
  local parked = patient and redis.call('LRANGE', PARKED, 0, -1) or {}
  if #parked == 0 then return false end
  local ttl, frames, before = redis.call('PTTL', PARKED), {}, W.n
  for i, kept in ipairs(parked) do
    local t = struct.unpack('>I8', kept, 9)
    frames[i] = { t, string.sub(kept, 1, 8), string.sub(kept, 9), kept }
  end
  table.sort(frames, function(a, b) return a[1] < b[1] end)
  load_head()
  local below, rest = {}, {}
  for _, frame in ipairs(frames) do
    if ended and frame[1] <= ended then
      -- a straggler
    elseif frame[1] < W.first - SILENCE then
      below[#below + 1] = frame
    elseif frame[1] <= W.last + SILENCE then
      rejoin(frame)
    else
      rest[#rest + 1] = frame[4]
    end
  end
  for i = #below, 1, -1 do
    if below[i][1] >= W.first - SILENCE then rejoin(below[i]) else rest[#rest + 1] = below[i][4] end
  end
  if #rest == #parked then return false end
  redis.call('DEL', PARKED)
  for i = 1, #rest, 1000 do redis.call('RPUSH', PARKED, unpack(rest, i, math.min(i + 999, #rest))) end
  if #rest > 0 then redis.call('PEXPIRE', PARKED, ttl) else W.owed, restarted = false, false end
  W.due = math.max(W.due, W.last + INTERVAL)
  W.late = true
  return W.n > before
end

-- Whether a full window should wait for frames that may be on their way.
local function should_wait(gapped)
  if not patient or final or mode == 'u' or W.n >= MOST and not W.next then return false end
  if #T == 0 and now - W.at >= QUIET or W.held and now - W.held >= HOLD then return false end
  return gapped and W.jumped and now - W.jumped < RECENT or W.late and now - W.opened < RECENT
    or redis.call('EXISTS', PARKED) == 1
end

-- Records as one string.
local function joined(records)
  for i, record in ipairs(records) do records[i] = struct.pack('>I2', #record) .. record end
  return table.concat(records)
end

local finished, parts = {}, false              -- ids of the windows that this request closed; whether of a sliding one

-- Note a window of these packed entries as closed, unless it was before. The name derives from the frames, so the same
-- window closed twice is the same measurement. Returns the name of what is kept of it if it is new.
local function note_closed(frames, cut)
  local id = 'msr_' .. string.sub(redis.sha1hex(IDX .. frames), 1, 32)
  finished[#finished + 1] = id
  ended, changed = cut, true
  redis.call('HSET', LAST, 'end', digits(cut), 'mode', mode)
  redis.call('PEXPIRE', LAST, KEEP_TTL)
  local aside = CLOSED .. ':' .. id
  if redis.call('EXISTS', RESULT .. ':' .. id) == 1 or redis.call('EXISTS', aside) == 1 then return end
  redis.call('HSET', aside, 'cut', digits(cut), 'n', #frames / 16, 'raw', W.asked, 'size', W.size,
             'duration', digits(W.duration), 'mode', W.mode, 'attempts', 0, 'lease', 0)
  redis.call('RPUSH', CLOSED, id)
  redis.call('PEXPIRE', aside, KEEP_TTL)
  redis.call('PEXPIRE', CLOSED, KEEP_TTL)
  return aside
end

-- Close the window at its first m entries and move it aside; what comes after them opens the next one.
local function close(m)
  local cut = times[m - base]
  local head = base > 0 and redis.call('GETRANGE', IDX, 0, 16 * base - 1) or ''
  local frames = head .. packed(1, m - base)
  flush_samples()
  local after, records = {}, {}
  for i = m - base + 1, #times do after[#after + 1] = { times[i], marks[i] } end
  if #after > 0 then
    for _, record in ipairs(redis.call('LRANGE', SMP, 0, -1)) do
      if struct.unpack('>I8', record) > cut then records[#records + 1] = record end
    end
  end
  local aside = note_closed(frames, cut)
  if aside then
    redis.call('RENAME', SMP, aside .. ':samples')
    redis.call('PEXPIRE', aside .. ':samples', KEEP_TTL)
  end
  if aside and m > 1 and not final then
    since, rear, pace = W.since or W.first, finished[#finished], (cut - W.first) / (m - 1)
    redis.call('HSET', LAST, 'since', digits(since), 'tail', rear, 'pace', digits(pace))
  else
    look_no_further()
  end
  local jumped, at = W.jumped, W.at
  redis.call('SET', BEFORE, frames, 'PX', KEEP_TTL)
  drop_window()
  if #after > 0 then
    open_window(after[1][1])
    for i, entry in ipairs(after) do times[i], marks[i] = entry[1], entry[2] end
    W.n, W.first, W.last, W.due = #times, times[1], times[#times], times[#times] + INTERVAL
    W.jumped, W.at = jumped, at
    fresh = records
  end
end

-- Close the newest part of a sliding window, up to entry m; it goes on.
local function close_part(m)
  load_head()
  flush_samples()
  local cut = times[m]
  local k = W.next and first_of_newest(m) or 1
  local held = math.max(k - 1, math.min(m, intact))   -- up to here they are in the index as they are
  local frames = (held >= k and redis.call('GETRANGE', IDX, 16 * k - 16, 16 * held - 1) or '') .. packed(held + 1, m)
  local aside = note_closed(frames, cut)
  if aside then redis.call('HSET', aside, 'from', digits(times[k]), 'shared', 1) end
  local due = W.next or cut
  W.since = W.since or W.first                 -- its first frames go, and seconds go on being counted
  W.next = due + W.stride * (math.floor((cut + SLACK - due) / W.stride) + 1)
  W.held, W.waiter, W.thinned, W.late = nil, nil, false, false
  parts = true
end

-- Close as many windows as the prefixes from the first m entries on allow.
local function settle(m)
  while m <= W.n do
    local is_full, gapped
    if W.next then
      m = math.max(m, base + lower_bound(W.next - SLACK))
      if m > W.n then return end
      is_full, gapped = true, gap_since_cut(m)
    else
      is_full, gapped = full(m)
    end
    if is_full and should_wait(gapped) then
      W.held = W.held or now
      return
    elseif is_full and slides() then
      close_part(m)
    elseif is_full then
      close(m)
      m = 1
    else
      m = m + 1
    end
  end
end

-- Let a sliding window go of what is older than its duration. Measurements under way keep it for a while; then they get
-- samples of their own.
local function trim()
  local keep = W.last - W.duration
  if W.held or not W.next or W.first >= keep - math.max(EXCESS, W.duration / SHARE) then return end
  local waiting = {}
  for _, id in ipairs(redis.call('LRANGE', CLOSED, 0, -1)) do
    local kept = redis.call('HMGET', CLOSED .. ':' .. id, 'shared', 'from')
    local from = kept[1] and tonumber(kept[2])
    if from and from < keep - PINNED then set_aside(id) elseif from then waiting[#waiting + 1] = from end
  end
  for _, from in ipairs(waiting) do keep = math.min(keep, from) end
  if W.first >= keep - EXCESS / 2 then return end
  load_head()
  local k = math.max(1, lower_bound(keep) - 1)
  local t, m = {}, {}
  for i = k, #times do t[i - k + 1], m[i - k + 1] = times[i], marks[i] end
  times, marks = t, m
  W.n, W.first, intact = #times, times[1], #times
  redis.call('SET', IDX, packed(1, #times))
  local gone, chunk = 0, 100
  repeat
    gone = 0
    for _, record in ipairs(redis.call('LRANGE', SMP, 0, chunk - 1)) do
      if struct.unpack('>I8', record) >= W.first then break end
      gone = gone + 1
    end
    redis.call('LTRIM', SMP, gone, -1)
  until gone < chunk
end

local function save_window()
  flush_samples()
  trim()
  if intact < W.n then redis.call('SETRANGE', IDX, 16 * intact, packed(intact - base + 1, #times)) end
  intact = W.n
  local function flag(on) return on and '1' or '0' end
  local function time_or_none(at) return at and digits(at) or '' end
  redis.call('HSET', WIN, 'n', W.n, 'first', digits(W.first), 'last', digits(W.last), 'duration', digits(W.duration),
             'mode', W.mode, 'due', digits(W.due), 'thinned', flag(W.thinned), 'raw', W.asked, 'size', W.size,
             'at', digits(W.at), 'since', time_or_none(W.since), 'run', W.run or 0, 'twin', time_or_none(W.twin),
             'late', flag(W.late), 'jumped', time_or_none(W.jumped), 'opened', time_or_none(W.opened),
             'held', time_or_none(W.held), 'waiter', time_or_none(W.waiter), 'owed', flag(W.owed), 'anew', W.anew,
             'jump', digits(W.jump), 'stride', digits(W.stride), 'next', time_or_none(W.next))
  redis.call('PEXPIRE', WIN, WINDOW_TTL)
  redis.call('PEXPIRE', IDX, WINDOW_TTL)
  redis.call('PEXPIRE', SMP, W.next and redis.call('EXISTS', CLOSED) == 1 and KEEP_TTL or WINDOW_TTL)
end

-- A request seen before changes nothing. Frames in order can't have been, unless the clock was set back lately ------
local repeated = false
local completed                                -- the windows that this very request completed before, ids with commas
if digest ~= '' then
  local known = redis.call('HGET', DONE, digest)
  if known and tonumber(string.match(known, '^%d+')) > now then
    completed = string.match(known, ':(.+)$')
    repeated = true
  elseif #T > 0 and (last[3] or not (W.n > 0 and T[1] > W.last and T[1] <= W.last + SILENCE)) then
    for _, name in ipairs({ SEEN, OLD }) do
      local seen, from = redis.call('GET', name), 1
      while seen and not repeated do
        local found = string.find(seen, digest, from, true)
        if not found then break end
        repeated = (found - 1) % 8 == 0
        from = found + 1
      end
    end
  end
end

local beside = false                           -- whether other requests of this session are being read
if digest ~= '' then
  redis.call('ZREM', COMING, digest)
  beside = redis.call('ZCOUNT', COMING, digits(now - COMING_US), '+inf') > 0
end

if #T > 0 and not repeated then
  if W.owed and redis.call('EXISTS', PARKED) == 0 then
    W.owed, restarted = false, true            -- nothing came to join what a jump had put aside
  end
  local anew, jump = 0, 0
  if W.n > 0 and W.mode ~= mode then
    -- The two clocks can't be compared; only the server's one can measure silence.
    if now - W.at <= SILENCE then return { 'mixed', W.mode } end
    restart()
  end
  if last[2] and last[2] ~= mode then redis.call('DEL', PARKED) end   -- frames of another kind don't join these

  -- What is not new: judged before anything is changed, so that an error leaves the window as it was.
  local back = false                           -- whether it is earlier than the window, but not than the last one
  local from                                   -- the frame that shows a restarted clock
  local run, twin = W.run or 0, W.twin         -- how many buffered frames have had twins in a row, and the last of them
  if W.n > 0 and T[1] < W.last + NEAR then load_tail(T[1] - JITTER - NEAR - 1) else base = W.n end
  for i = 1, #T do
    local t = T[i]
    if ended and t <= ended then
      if t < ended - SILENCE and not was_measured(t, D[i]) then from = i break end
      skip[i] = true                           -- a straggler, or sent again
    elseif W.n == 0 or t >= W.last + NEAR then
      break
    elseif t < W.first - SILENCE then
      from, back = i, true
      break
    else
      local k = lower_bound(t)
      if times[k] == t and (marks[k] == D[i] or mode == 'u') then
        skip[i] = true                         -- counts once
      elseif mode ~= 'u' then
        local other = times[k] and times[k] - t < NEAR and times[k] or k > 1 and t - times[k - 1] < NEAR and times[k - 1]
        if other then
          skip[i] = true
          twins[#twins + 1] = i
          if other ~= twin then run, twin = run + 1, other end
        end
      end
    end
  end
  if not from and run >= RUN and #twins > 0 then from = twins[1] end
  if from then
    if back and patient then
      anew, jump = W.anew + 1, T[from] - W.last
      park_window()
      if not beside then restarted = true end
      if not ended then set_back = true end
    else
      restart()
    end
    for i = 1, #T do skip[i] = i < from end
    run, twin, twins = 0, nil, {}
  elseif #twins > 0 then
    changed = true
  end
  if W.n == 0 or T[#T] >= W.last + NEAR then run, twin = 0, nil end   -- the clock goes on

  -- Late frames go to their places. Whether one is one too many only its neighbours can show.
  local late, lowest, chosen, previous = W.last, nil, {}, nil
  for i = 1, #T do
    if W.n == 0 or T[i] > late then break end
    if not skip[i] then
      skip[i] = true
      local k = lower_bound(T[i])
      local gap = INTERVAL - JITTER
      if k > 1 and (not previous or times[k - 1] > previous) then previous = times[k - 1] end
      if not (W.thinned or (times[k] and times[k] - T[i] < gap) or (previous and T[i] - previous < gap)) then
        chosen[#chosen + 1], previous = i, T[i]
        lowest = lowest or k
      end
    end
  end
  if lowest then
    insert_all(chosen)
    W.late = true
    if W.held then
      load_head()
      lowest = 1
    end
    settle(base + lowest)
  end

  -- Frames in order.
  for i = 1, #T do
    if not skip[i] then
      local t = T[i]
      if W.n > 0 and t - W.last > SILENCE then
        anew, jump = W.anew + 1, t - W.last
        park_window()
        if not beside then restarted = true end
      elseif W.n > 1 and i == 1 and t - W.last > math.max(GAP, 3 * (W.last - W.first) / (W.n - 1)) then
        W.jumped = now
      end
      if W.n == 0 then
        open_window(t)
        W.anew, W.jump, W.owed = anew, jump, jump ~= 0 and beside
      end
      if t >= W.due - JITTER then
        W.due = math.max(t, W.due) + INTERVAL
        insert(i, #times + 1)
        if W.held then load_head() end
        settle(W.held and 1 or W.n)
      else
        W.thinned = true
        changed = true
      end
    end
  end

  if W.n > 0 and join_parked() then
    changed = true
    settle(1)
  end

  if W.n > 0 then
    if bit.bor(W.asked, asked) ~= W.asked then W.asked, changed = bit.bor(W.asked, asked), true end
    if changed then
      if size ~= '' then W.size = size end
      W.at, W.run, W.twin = now, run, twin
      if W.anew > 0 and anew == 0 then W.anew = 0 end
      save_window()
    end
  end
  if set_back then
    if not ended then
      redis.call('HDEL', LAST, 'end', 'mode')
      redis.call('DEL', BEFORE)
    end
    redis.call('HSET', LAST, 'restart', 1)
    redis.call('PEXPIRE', LAST, KEEP_TTL)
  end

  if face ~= '' then
    local known = redis.call('GET', FACE)
    local newer = not known or struct.unpack('>I8', face) > struct.unpack('>I8', known)
    if newer or opened then redis.call('SET', FACE, face, 'PX', WINDOW_TTL) end
  end

  if digest ~= '' then
    if redis.call('APPEND', SEEN, digest) == 8 then redis.call('PEXPIRE', SEEN, SEEN_TTL) end
    if redis.call('STRLEN', SEEN) >= SEEN_BYTES or redis.call('PTTL', SEEN) < SEEN_TTL / 2 then
      redis.call('RENAME', SEEN, OLD)
    end
  end
end

-- A full window that waited for late frames ------------------------------------------------------------------------
if #T == 0 and W.held then
  base = W.n
  load_head()
  settle(1)
  if W.n > 0 and changed then
    W.at = W.at or now
    save_window()
  end
end

-- A request that closes the window, however long it is --------------------------------------------------------------
-- Close what there is of it. What follows a window that this very request filled is dropped if it is too short.
local function close_all()
  load_head()
  settle(1)
  if W.n == 0 then return end
  if W.next and (W.last > ended or #finished == 0) then
    close_part(W.n)
  elseif not W.next and (#finished == 0 or W.last - W.first >= SHORT) then
    close(W.n)
  end
  if W.n == 0 then return end
  local id = finished[#finished]
  if redis.call('HDEL', CLOSED .. ':' .. id, 'shared') == 1 then
    for _, other in ipairs(redis.call('LRANGE', CLOSED, 0, -1)) do set_aside(other) end
    redis.call('RENAME', SMP, CLOSED .. ':' .. id .. ':samples')
    redis.call('PEXPIRE', CLOSED .. ':' .. id .. ':samples', KEEP_TTL)
  end
end

local nothing = false                          -- whether there was nothing to close
if final and not repeated then
  if W.n > 0 then
    close_all()
    if W.n > 0 then drop_window() end
    redis.call('DEL', PARKED)
    look_no_further()
    redis.call('HSET', LAST, 'final', finished[#finished])
  elseif #finished == 0 then
    nothing = true
    completed = last[4] or nil                 -- a request without frames that is sent again
  end
end

local held = W.held and (#T == 0 or not W.waiter or W.waiter <= now)
if held and #T > 0 then
  W.waiter = now + HOLD
  redis.call('HSET', WIN, 'waiter', digits(W.waiter))
end

-- Which closed window is this request's to analyse, or to answer with? --------------------------------------------
local function answers_with(id)
  if digest == '' then return end
  if redis.call('HLEN', DONE) >= 64 then
    local all = redis.call('HGETALL', DONE)
    for i = 1, #all, 2 do
      if tonumber(string.match(all[i + 1], '^%d+')) <= now then redis.call('HDEL', DONE, all[i]) end
    end
  end
  redis.call('HSET', DONE, digest, digits(now + KEEP_TTL * 1000) .. ':' .. id)
  redis.call('PEXPIRE', DONE, KEEP_TTL)
end

local function free(id)
  local lease = redis.call('HGET', CLOSED .. ':' .. id, 'lease')
  return lease and tonumber(lease) <= now
end

-- The newest samples, for who first asks in each second of the window ---------------------------------------------
local function added_newest() return changed and W.n > 0 and T[#T] == W.last end

local function newest_samples(tail)
  local from, span, slow, slow_span, every = string.match(look, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  local all = {}
  for i = 1, #tail / 16 do all[i] = struct.unpack('>I8', tail, 16 * i - 15) end
  local interval = #all > 1 and intervals_of(all, 1, #all) or 0
  if W.since and pace and #all < SPARE then interval = pace end
  if interval == 0 then return '' end
  if interval > tonumber(slow) then span = slow_span else every = 1 end
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

-- Which closed windows are this request's to analyse, or to answer with? ------------------------------------------
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
