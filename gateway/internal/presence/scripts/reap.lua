-- Clears some users of a dead gateway away, and the gateway with the last of them. Its lease must still be as it was
-- seen, and one gateway at a time does it. Answers whether there is more to do, and the changes; or nothing, as
-- apply.lua.
--
-- ARGV: 1 gateway, 2 number its lease holds, 3 number it shall hold; 4 the dead gateway, 5 number seen in its lease,
--       6 how many users at most, 7 life of the claim in ms, 8 whether a grace is to be ignored (1 or 0)
local gateway, number, dead = ARGV[1], ARGV[3], ARGV[4]
if not renew(gateway, ARGV[2], number) then
  return {}
end
if ARGV[8] == '1' then
  in_grace = false
end
local owner = redis.call('GET', CLAIM .. dead) or gateway
if in_grace or owner ~= gateway or (redis.call('GET', LEASE .. dead) or '') ~= ARGV[5] then
  return { 0, {} }
end
redis.call('SET', CLAIM .. dead, gateway, 'PX', ARGV[7])
local left = ARGV[5] == 'leaving' or ARGV[5] == 'left'
redis.call('SET', LEASE .. dead, left and 'left' or 'dead', 'PX', LEASE_LIFE)
redis.call('SREM', GATEWAYS, dead)
redis.call('SADD', DEAD, dead)

local changes = {}
for _, change in ipairs(noted(dead)) do -- which it may not have come to tell
  local at, status, user = string.match(change, '^%d+ (%d+) (%a+) (.*)$')
  changes[#changes + 1] = note(gateway, number, user, status, tonumber(at))
end
redis.call('DEL', CHANGES .. dead)
for _, user in ipairs(redis.call('SRANDMEMBER', HELD .. dead, ARGV[6])) do
  redis.call('SREM', HELD .. dead, user)
  local _, change = derive(user, '', gateway, number)
  changes[#changes + 1] = change
end
if redis.call('EXISTS', HELD .. dead) == 1 then
  return { 1, changes }
end
redis.call('DEL', CLAIM .. dead, NEWS .. dead)
if left then
  redis.call('DEL', LEASE .. dead)
end -- otherwise it stays marked: if it was only cut off, it must not take its own end for an emptied Redis
redis.call('SREM', DEAD, dead)
return { 0, changes }
