-- Who is in a room's online set, and with which status: id, status, id, status, …; in no order.
--
-- KEYS: 1 users of the room
-- ARGV: 1 how many at most, 2 prefix of statuses
--
-- Status keys are not among KEYS, since only the set says whose they are (see apply.lua).
local users = redis.call('SRANDMEMBER', KEYS[1], ARGV[1])
if #users == 0 then
  return users
end
local names = {}
for i, user in ipairs(users) do
  names[i] = ARGV[2] .. user
end
local answer = {}
for i, status in ipairs(redis.call('MGET', unpack(names))) do
  if status then
    answer[#answer + 1] = users[i]
    answer[#answer + 1] = status
  end
end
return answer
