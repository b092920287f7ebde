-- Add the frames of one request to the session's window; close the window if that fills it; claim a closed window
-- that nobody is analysing. All in one step, so that requests racing at several processes see one order.
--
-- The script is one chunk in several files, joined in this order (`store/windows.py`); each uses what stands in those
-- before it:
--   append_request  what is asked, and the limits             append_window  the open window, and how frames come into it
--   append_full     whether it is full                        append_parked  what a jump in capture time puts aside
--   append_close    close a window or a part of it; save it   append_take    take the frames of the request
--   append_final    a request that closes the window          append_answer  claims, and the reply
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

-- The frames of the request.
local T, D, skip = {}, {}, {}
for i = 1, #entries / 16 do
  T[i], D[i] = struct.unpack('>I8c8', entries, 16 * i - 15)
end
