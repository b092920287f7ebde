-- Whether a window is full, and whether a full one should wait for frames that may be on their way.
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

-- Whether a full window should wait for frames that may be on their way.
local function should_wait(gapped)
  if not patient or final or mode == 'u' or W.n >= MOST and not W.next then return false end
  if #T == 0 and now - W.at >= QUIET or W.held and now - W.held >= HOLD then return false end
  return gapped and W.jumped and now - W.jumped < RECENT or W.late and now - W.opened < RECENT
    or redis.call('EXISTS', PARKED) == 1
end
