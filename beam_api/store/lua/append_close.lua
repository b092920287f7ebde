-- Close windows and parts of them, let go of what a sliding window doesn't need, and save the window.
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
