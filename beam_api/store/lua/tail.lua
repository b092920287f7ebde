-- The newest samples of an open window, for the running heart rate: to the first that asks for this second of it.
--
-- KEYS  1 window (hash)  2 samples (list)
-- ARGV  1 the window's first time, as the asker knows it  2 which second of the window  3 how many samples
-- Reply the records as one string, each after its length; false if the window is another one by now, or this second
--       or a later one was asked for before
local window = redis.call('HMGET', KEYS[1], 'first', 'told')
if window[1] ~= ARGV[1] then return false end
-- The field outlives its window if a new one begins in the same place, so it names the window too.
local first, second = string.match(window[2] or '', '^(%d+):(%d+)$')
if first == ARGV[1] and tonumber(second) >= tonumber(ARGV[2]) then return false end
redis.call('HSET', KEYS[1], 'told', ARGV[1] .. ':' .. ARGV[2])
local records = redis.call('LRANGE', KEYS[2], -tonumber(ARGV[3]), -1)
for i, record in ipairs(records) do records[i] = struct.pack('>I2', #record) .. record end
return table.concat(records)
