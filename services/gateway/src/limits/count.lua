-- Counts a request in sliding windows of a minute and an hour, unless one of them is full. The
-- arithmetic is that of window.rs. Returns the time in milliseconds and, as they were before this
-- request, the current and the previous count of each window.
--
-- KEYS[1]: the client. ARGV: requests allowed per minute and per hour.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = redis.call('HMGET', KEYS[1], 'mp', 'mc', 'mv', 'hp', 'hc', 'hv')

local function window(first, length, limit)
    local period = math.floor(now / length)
    local behind = period - (tonumber(stored[first]) or 0)
    local current = tonumber(stored[first + 1]) or 0
    local previous = tonumber(stored[first + 2]) or 0
    if behind == 1 then
        current, previous = 0, current
    elseif behind ~= 0 then
        current, previous = 0, 0
    end
    local left = length - now % length
    local has_room = current + math.ceil(previous * left / length) < limit
    return period, current, previous, has_room
end

local mp, mc, mv, minute_has_room = window(1, 60000, tonumber(ARGV[1]))
local hp, hc, hv, hour_has_room = window(4, 3600000, tonumber(ARGV[2]))
if minute_has_room and hour_has_room then
    redis.call('HSET', KEYS[1], 'mp', mp, 'mc', mc + 1, 'mv', mv, 'hp', hp, 'hc', hc + 1, 'hv', hv)
    redis.call('PEXPIRE', KEYS[1], 7200000)
end
return { now, mc, mv, hc, hv }
