-- Writes the gateway's records of some users, and derives their public keys. Answers whether there is a grace, what
-- is told of each user now ("status at"), and the changes; or nothing when the lease is not as the gateway left it:
-- then nothing was changed, and the gateway has to acquire it and write everything again.
--
-- ARGV: 1 gateway, 2 number the lease holds, 3 number it shall hold, 4 whether a grace is to be ignored (1 or 0);
--       then for each user: id, record ("status room room …", or empty for none), what the gateway believes is told
local gateway, number = ARGV[1], ARGV[3]
if not renew(gateway, ARGV[2], number) then
  return {}
end
if ARGV[4] == '1' then
  in_grace = false
end

local told, changes = {}, {}
for arg = 5, #ARGV, 3 do
  local user, record, belief = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
  if record ~= '' then
    redis.call('HSET', RECORD .. user, gateway, record)
    redis.call('SADD', HELD .. gateway, user)
  else
    redis.call('HDEL', RECORD .. user, gateway)
    if not in_grace then -- until then she is this gateway's to take offline, or of whoever clears it away
      redis.call('SREM', HELD .. gateway, user)
    end
  end
  told[#told + 1], changes[#changes + 1] = derive(user, belief, gateway, number)
end

redis.call('PEXPIRE', HELD .. gateway, LIFE)
redis.call('PEXPIRE', ONLINE, LIFE)
return { in_grace and 1 or 0, told, changes }
