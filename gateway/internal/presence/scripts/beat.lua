-- Renews the gateway's lease and the lifetimes of some of its users' keys, and looks around. Answers whether there is
-- a grace; the other gateways, each with what its lease holds; the dead ones that are not cleared away yet, in the
-- same way; and the users to be written again, since something of them is missing or another gateway told a change of
-- them. Or nothing, as apply.lua.
--
-- ARGV: 1 gateway, 2 number the lease holds, 3 number it shall hold, 4 life of the pulse in ms;
--       then for each user: id, record
local gateway = ARGV[1]
local held = redis.call('PEXPIRE', HELD .. gateway, LIFE)
if redis.call('PEXPIRE', ONLINE, LIFE) < held or not renew(gateway, ARGV[2], ARGV[3]) then
  return {}
end
redis.call('SET', PULSE, gateway, 'PX', ARGV[4])
redis.call('PEXPIRE', GATEWAYS, LIFE)
redis.call('PEXPIRE', DEAD, LIFE)

local again, rooms = redis.call('SMEMBERS', NEWS .. gateway), {}
redis.call('DEL', NEWS .. gateway)
for arg = 5, #ARGV, 2 do
  local user = ARGV[arg]
  local whole = redis.call('PEXPIRE', STATUS .. user, LIFE) + redis.call('HEXISTS', RECORD .. user, gateway)
  redis.call('PEXPIRE', RECORD .. user, LIFE)
  redis.call('SADD', ONLINE, user)
  local wanted = 2
  for room in string.gmatch(ARGV[arg + 1], '%d+') do
    redis.call('SADD', ROOM_USERS .. room, user)
    rooms[ROOM_USERS .. room] = true
    wanted = 3
  end
  if wanted == 3 then
    whole = whole + redis.call('PEXPIRE', USER_ROOMS .. user, LIFE)
  end
  if whole < wanted then
    again[#again + 1] = user
  end
end
for room in pairs(rooms) do
  redis.call('PEXPIRE', room, LIFE)
end

local function leases(set)
  local found = {}
  for _, id in ipairs(redis.call('SMEMBERS', set)) do
    if id ~= gateway then
      found[#found + 1] = id
      found[#found + 1] = redis.call('GET', LEASE .. id) or ''
    end
  end
  return found
end
return { in_grace and 1 or 0, leases(GATEWAYS), leases(DEAD), again }
