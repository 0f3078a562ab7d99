-- Ends a gateway's part while its users may be on their way to another one: from now on it is dead as soon as a
-- debounce is over. Answers 1, or 0 when none of the others is there to take the users over, or nothing, as
-- apply.lua.
--
-- ARGV: 1 gateway, 2 number the lease holds, 3 number it shall hold if nobody is there; then the others
local gateway = ARGV[1]
if not renew(gateway, ARGV[2], ARGV[3]) then
  return {}
end
for arg = 4, #ARGV do
  if tonumber(redis.call('GET', LEASE .. ARGV[arg]) or '') then
    redis.call('SET', LEASE .. gateway, 'leaving', 'PX', LEASE_LIFE)
    return { 1 }
  end
end
return { 0 }
