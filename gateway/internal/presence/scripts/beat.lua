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

local again, renewed = redis.call('SMEMBERS', NEWS .. gateway), {}
redis.call('DEL', NEWS .. gateway)
for arg = 5, #ARGV, 2 do
  local user = ARGV[arg]
  if redis.call('PEXPIRE', STATUS .. user, LIFE) + redis.call('PEXPIRE', RECORD .. user, LIFE) < 2 then
    again[#again + 1] = user
  end
  local seen = redis.call('GET', SEEN .. user)
  if seen then
    redis.call('SET', SEEN .. user, string.format('%.0f%s', now, string.match(seen, ' .*')), 'PX', SEEN_LIFE)
  end
  for room in string.gmatch(ARGV[arg + 1], '%d+') do
    renewed[USER_ROOMS .. user] = true
    renewed[ROOM_USERS .. room] = true
  end
end
for key in pairs(renewed) do
  redis.call('PEXPIRE', key, LIFE)
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
