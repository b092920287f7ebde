-- A request that closes the window, however long it is; and who waits with a full one for late frames.

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
