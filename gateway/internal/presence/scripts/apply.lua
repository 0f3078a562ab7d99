-- Renews the gateway's lease and writes its records of some users (none: only the lease), then derives the four public
-- keys of each user from the records of all gateways alive. Answers the time in ms and then, for each user whose status
-- has changed by it, id and status; or nothing when the lease is not as the gateway left it: then nothing was changed,
-- and the gateway has to acquire it and write everything again.
--
-- KEYS: 1 lease, 2 held (the gateway's users), 3 gateways, 4 online users;
--       then for each user: status, rooms of the user, records of the user
-- ARGV: 1 gateway, 2 number the lease holds, 3 number it shall hold, 4 life of the lease in ms,
--       5 life of everything else in ms, 6 prefix of leases, 7 prefix of a room's users;
--       then for each user: id, record ("status room room ...", or empty for none)
--
-- Room keys and the leases of other gateways are not among KEYS, since only the records say which they are: on one
-- Redis that is sound, on Redis Cluster it is not (see the package documentation).
local gateway, life = ARGV[1], ARGV[5]

if redis.call('GET', KEYS[1]) ~= ARGV[2] then
  return {}
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('SADD', KEYS[3], gateway)

local alive = { [gateway] = true }
local function is_alive(id)
  if alive[id] == nil then
    alive[id] = redis.call('EXISTS', ARGV[6] .. id) == 1
  end
  return alive[id]
end

-- Who asks on any device not to be disturbed is busy; who is active on any device is online.
local rank = { away = 1, online = 2, busy = 3 }

-- The status (nil: offline) and the rooms that the living gateways' records of a user add up to.
local function merge(records)
  local status, rooms = nil, {}
  local fields = redis.call('HGETALL', records)
  for i = 1, #fields, 2 do
    if is_alive(fields[i]) then
      for word in string.gmatch(fields[i + 1], '%S+') do
        if not rank[word] then
          rooms[word] = true
        elseif not status or rank[word] > rank[status] then
          status = word
        end
      end
    else
      redis.call('HDEL', records, fields[i])
    end
  end
  return status, rooms
end

local now = redis.call('TIME')
local changes = { string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000)) }

local function derive(user, status_key, rooms_key, records)
  local status, rooms = merge(records)
  for _, room in ipairs(redis.call('SMEMBERS', rooms_key)) do
    if not rooms[room] then
      redis.call('SREM', ARGV[7] .. room, user)
      redis.call('SREM', rooms_key, room)
    end
  end
  for room in pairs(rooms) do
    redis.call('SADD', rooms_key, room)
    redis.call('SADD', ARGV[7] .. room, user)
    redis.call('PEXPIRE', ARGV[7] .. room, life)
  end
  local before = redis.call('GET', status_key)
  if (before or nil) ~= status then
    changes[#changes + 1] = user
    changes[#changes + 1] = status or 'offline'
  end
  if status then
    redis.call('SET', status_key, status, 'PX', life)
    redis.call('SADD', KEYS[4], user)
    redis.call('PEXPIRE', records, life)
    redis.call('PEXPIRE', rooms_key, life)
  else
    redis.call('DEL', status_key)
    redis.call('SREM', KEYS[4], user)
  end
end

local key = 5
for arg = 8, #ARGV, 2 do
  local user, record = ARGV[arg], ARGV[arg + 1]
  if record == '' then
    redis.call('HDEL', KEYS[key + 2], gateway)
    redis.call('SREM', KEYS[2], user)
  else
    redis.call('HSET', KEYS[key + 2], gateway, record)
    redis.call('SADD', KEYS[2], user)
  end
  derive(user, KEYS[key], KEYS[key + 1], KEYS[key + 2])
  key = key + 3
end

redis.call('PEXPIRE', KEYS[2], life)
redis.call('PEXPIRE', KEYS[3], life)
redis.call('PEXPIRE', KEYS[4], life)
return changes
