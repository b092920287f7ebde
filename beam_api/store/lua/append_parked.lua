-- Frames that a jump in capture time puts aside.

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
