-- Who is in a room's online set, and with which status: id, status, id, status, …; in no order.
--
-- ARGV: 1 room, 2 how many at most
local users = redis.call('SRANDMEMBER', ROOM_USERS .. ARGV[1], ARGV[2])
if #users == 0 then
  return users
end
local names = {}
for i, user in ipairs(users) do
  names[i] = STATUS .. user
end
local answer = {}
for i, status in ipairs(redis.call('MGET', unpack(names))) do
  if status then
    answer[#answer + 1] = users[i]
    answer[#answer + 1] = status
  end
end
return answer
