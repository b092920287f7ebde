-- Take the frames of the request: judge which are new, put late ones in their places and the others at the end.

-- A request seen before changes nothing. Frames in order can't have been, unless the clock was set back lately.
local repeated = false
local completed                                -- the windows that this very request completed before, ids with commas
local function was_seen(name)
  local seen, from = redis.call('GET', name), 1
  while seen do
    local found = string.find(seen, digest, from, true)
    if not found then return false end
    if (found - 1) % 8 == 0 then return true end
    from = found + 1
  end
  return false
end

local beside = false                           -- whether other requests of this session are being read
if digest ~= '' then
  local known = redis.call('HGET', DONE, digest)
  if known and tonumber(string.match(known, '^%d+')) > now then
    completed = string.match(known, ':(.+)$')
    repeated = true
  elseif #T > 0 and (last[3] or not (W.n > 0 and T[1] > W.last and T[1] <= W.last + SILENCE)) then
    repeated = was_seen(SEEN) or was_seen(OLD)
  end
  redis.call('ZREM', COMING, digest)
  beside = redis.call('ZCOUNT', COMING, digits(now - COMING_US), '+inf') > 0
end

local anew, jump = 0, 0                        -- as in the window, by this request
local run, twin                                -- how many buffered frames have had twins in a row, and the last of them

-- The time of a buffered frame less than 1 ms from t, whose place among the entries is k.
local function buffered_near(t, k)
  return times[k] and times[k] - t < NEAR and times[k] or k > 1 and t - times[k - 1] < NEAR and times[k - 1]
end

-- What is not new: judged before anything is changed, so that an error leaves the window as it was. Returns the frame
-- that shows a restarted clock, and whether it is earlier than the window, but not than the last one.
local function judge()
  run, twin = W.run or 0, W.twin
  if W.n > 0 and T[1] < W.last + NEAR then load_tail(T[1] - JITTER - NEAR - 1) else base = W.n end
  for i = 1, #T do
    local t = T[i]
    if ended and t <= ended then
      if t < ended - SILENCE and not was_measured(t, D[i]) then return i, false end
      skip[i] = true                           -- a straggler, or sent again
    elseif W.n == 0 or t >= W.last + NEAR then
      break
    elseif t < W.first - SILENCE then
      return i, true
    else
      local k = lower_bound(t)
      if times[k] == t and (marks[k] == D[i] or mode == 'u') then
        skip[i] = true                         -- counts once
      elseif mode ~= 'u' then
        local other = buffered_near(t, k)
        if other then
          skip[i] = true
          twins[#twins + 1] = i
          if other ~= twin then run, twin = run + 1, other end
        end
      end
    end
  end
  if run >= RUN and #twins > 0 then return twins[1], false end
end

-- Begin a new window at the frame that shows a restarted clock.
local function begin_anew(from, back)
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
end

-- Put late frames in their places. Whether one is one too many only its neighbours can show.
local function take_late()
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
  if not lowest then return end
  insert_all(chosen)
  W.late = true
  if W.held then
    load_head()
    lowest = 1
  end
  settle(base + lowest)
end

local function take_in_order()
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
end

local function keep_window()
  if W.n == 0 then return end
  if bit.bor(W.asked, asked) ~= W.asked then W.asked, changed = bit.bor(W.asked, asked), true end
  if not changed then return end
  if size ~= '' then W.size = size end
  W.at, W.run, W.twin = now, run, twin
  if W.anew > 0 and anew == 0 then W.anew = 0 end
  save_window()
end

local function keep_restart()
  if not set_back then return end
  if not ended then
    redis.call('HDEL', LAST, 'end', 'mode')
    redis.call('DEL', BEFORE)
  end
  redis.call('HSET', LAST, 'restart', 1)
  redis.call('PEXPIRE', LAST, KEEP_TTL)
end

local function keep_face()
  if face == '' then return end
  local known = redis.call('GET', FACE)
  local newer = not known or struct.unpack('>I8', face) > struct.unpack('>I8', known)
  if newer or opened then redis.call('SET', FACE, face, 'PX', WINDOW_TTL) end
end

local function keep_digest()
  if digest == '' then return end
  if redis.call('APPEND', SEEN, digest) == 8 then redis.call('PEXPIRE', SEEN, SEEN_TTL) end
  if redis.call('STRLEN', SEEN) >= SEEN_BYTES or redis.call('PTTL', SEEN) < SEEN_TTL / 2 then
    redis.call('RENAME', SEEN, OLD)
  end
end

if #T > 0 and not repeated then
  if W.owed and redis.call('EXISTS', PARKED) == 0 then
    W.owed, restarted = false, true            -- nothing came to join what a jump had put aside
  end
  if W.n > 0 and W.mode ~= mode then
    -- The two clocks can't be compared; only the server's one can measure silence.
    if now - W.at <= SILENCE then return { 'mixed', W.mode } end
    restart()
  end
  if last[2] and last[2] ~= mode then redis.call('DEL', PARKED) end   -- frames of another kind don't join these

  local from, back = judge()
  if from then begin_anew(from, back) elseif #twins > 0 then changed = true end
  if W.n == 0 or T[#T] >= W.last + NEAR then run, twin = 0, nil end   -- the clock goes on
  take_late()
  take_in_order()
  if W.n > 0 and join_parked() then
    changed = true
    settle(1)
  end
  keep_window()
  keep_restart()
  keep_face()
  keep_digest()
end

-- A full window that waited for late frames.
if #T == 0 and W.held then
  base = W.n
  load_head()
  settle(1)
  if W.n > 0 and changed then
    W.at = W.at or now
    save_window()
  end
end
