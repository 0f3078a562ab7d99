-- What the other scripts share; store.go puts it before them, after the names of keys and the lifetimes (upper case).
-- Keys are named here and not handed over as KEYS, since only the records say which they are: on one Redis primary
-- that is sound, on Redis Cluster it is not (see the package documentation).

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- After Redis was away or emptied, nobody is taken offline and nothing is told until all gateways have had the time
-- to write again what they know.
local in_grace = redis.call('EXISTS', GRACE) == 1

local counting = {}
local function counts(gateway)
  if counting[gateway] == nil then
    counting[gateway] = redis.call('SISMEMBER', GATEWAYS, gateway) == 1
  end
  return counting[gateway]
end

-- Compares the number in a gateway's lease with the one it holds if nothing was forgotten, and raises it. That also
-- proves that the gateway got the answer to its call before, so that the changes noted for it are not needed any
-- more.
local function renew(gateway, holds, shall_hold)
  if redis.call('GET', LEASE .. gateway) ~= holds or not counts(gateway) then
    return false
  end
  redis.call('SET', LEASE .. gateway, shall_hold, 'PX', LEASE_LIFE)
  redis.call('DEL', CHANGES .. gateway)
  return true
end

-- Who asks on any device not to be disturbed is busy; who is active on any device is online.
local rank = { away = 1, online = 2, busy = 3 }

-- The status (nil: offline) and the rooms that the records of a user add up to, and the gateways that have one.
local function merge(user)
  local status, rooms, gateways = nil, {}, {}
  local fields = redis.call('HGETALL', RECORD .. user)
  for i = 1, #fields, 2 do
    if counts(fields[i]) then
      gateways[#gateways + 1] = fields[i]
      for word in string.gmatch(fields[i + 1], '%S+') do
        if not rank[word] then
          rooms[word] = true
        elseif not status or rank[word] > rank[status] then
          status = word
        end
      end
    else
      redis.call('HDEL', RECORD .. user, fields[i])
    end
  end
  return status, rooms, gateways
end

-- Writes the four public keys of a user.
local function publish(user, status, rooms)
  for _, room in ipairs(redis.call('SMEMBERS', USER_ROOMS .. user)) do
    if not rooms[room] then
      redis.call('SREM', ROOM_USERS .. room, user)
      redis.call('SREM', USER_ROOMS .. user, room)
    end
  end
  for room in pairs(rooms) do
    redis.call('SADD', USER_ROOMS .. user, room)
    redis.call('SADD', ROOM_USERS .. room, user)
    redis.call('PEXPIRE', ROOM_USERS .. room, LIFE)
  end
  if status then
    redis.call('SET', STATUS .. user, status, 'PX', LIFE)
    redis.call('SADD', ONLINE, user)
    redis.call('PEXPIRE', RECORD .. user, LIFE)
    redis.call('PEXPIRE', USER_ROOMS .. user, LIFE)
  else
    redis.call('DEL', STATUS .. user)
    redis.call('SREM', ONLINE, user)
  end
end

-- The status last told, and when, at the end of a text: in SEEN .. user "last-seen status at", from a gateway "status
-- at".
local function told_in(text)
  local status, at = string.match(text or '', '(%a+) (%d+)$')
  return status or 'offline', tonumber(at) or 0
end

-- Notes a change for the gateway that has to tell it, so that it is found again if the answer gets lost.
local function note(gateway, number, user, status, at)
  local change = string.format('%s %.0f %s %s', number, at, status, user)
  redis.call('RPUSH', CHANGES .. gateway, change)
  redis.call('PEXPIRE', CHANGES .. gateway, LIFE)
  return change
end

-- The changes noted for a gateway that no other has followed since.
local function noted(gateway)
  local fresh = {}
  for _, change in ipairs(redis.call('LRANGE', CHANGES .. gateway, 0, -1)) do
    local at, user = string.match(change, '^%d+ (%d+) %a+ (.*)$')
    local _, told_at = told_in(redis.call('GET', SEEN .. user) or '')
    if told_at == tonumber(at) then
      fresh[#fresh + 1] = change
    end
  end
  return fresh
end

-- Compares a user's status with the one last told. What Redis knows of that may be lost or old, so the gateway says
-- what it believes: the later one is right. The times of a user's changes always rise, whatever the clock does.
-- Answers what is told now ("status at"), and the change if there is one.
local function tell(user, status, belief, gateway, number)
  local told, at = told_in(redis.call('GET', SEEN .. user) or '')
  local believed, believed_at = told_in(belief)
  local restored = believed_at > at
  if restored then
    told, at = believed, believed_at
  end
  local change
  if told ~= status and not in_grace then
    told, at = status, math.max(now, at + 1)
    change = note(gateway, number, user, told, at)
  end
  local text = string.format('%s %.0f', told, at)
  if change or restored or status ~= 'offline' then
    redis.call('SET', SEEN .. user, string.format('%.0f %s', now, text), 'PX', SEEN_LIFE)
  end
  return text, change
end

-- Makes the public keys of a user what the records add up to, and tells a change.
local function derive(user, belief, gateway, number)
  local status, rooms, gateways = merge(user)
  if status or not in_grace then
    publish(user, status, rooms)
  end
  local told, change = tell(user, status or 'offline', belief, gateway, number)
  for _, other in ipairs(change and gateways or {}) do
    if other ~= gateway then -- it has to believe it too
      redis.call('SADD', NEWS .. other, user)
      redis.call('PEXPIRE', NEWS .. other, LIFE)
    end
  end
  return told, change
end
