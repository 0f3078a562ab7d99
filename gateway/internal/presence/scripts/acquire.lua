-- Takes the gateway's lease, whoever lost it. Answers the users it has records of, and the changes it was not heard
-- to have got.
--
-- ARGV: 1 gateway, 2 number the lease shall hold, 3 whether it held the lease before (1 or 0),
--       4 length of a grace in ms, 5 life of the pulse in ms
local gateway = ARGV[1]

-- Where no gateway is in touch, Redis was away for all; where the lease of a gateway that had one is gone, Redis was
-- emptied. A new gateway that finds nothing at all may be the first one ever, or the first one back: it waits only
-- for as long as those who were in touch need to come.
local in_touch = redis.call('EXISTS', PULSE) == 1
local emptied = ARGV[3] == '1' and redis.call('EXISTS', LEASE .. gateway) == 0
if emptied or not in_touch and redis.call('EXISTS', GATEWAYS) == 1 then
  redis.call('SET', GRACE, gateway, 'PX', ARGV[4])
elseif not in_touch then
  redis.call('SET', GRACE, gateway, 'PX', ARGV[5])
end

redis.call('SET', PULSE, gateway, 'PX', ARGV[5])
redis.call('SET', LEASE .. gateway, ARGV[2], 'PX', LEASE_LIFE)
redis.call('SADD', GATEWAYS, gateway)
redis.call('SREM', DEAD, gateway)
redis.call('DEL', CLAIM .. gateway)
redis.call('PEXPIRE', GATEWAYS, LIFE)
redis.call('PEXPIRE', HELD .. gateway, LIFE)
return { redis.call('SMEMBERS', HELD .. gateway), noted(gateway) }
