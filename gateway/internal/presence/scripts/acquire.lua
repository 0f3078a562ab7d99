-- Takes the gateway's lease, whoever lost it, and answers which users it has records of.
--
-- KEYS: 1 lease, 2 held (the gateway's users), 3 gateways
-- ARGV: 1 gateway, 2 number the lease shall hold, 3 life of the lease in ms, 4 life of the book-keeping in ms
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return redis.call('SMEMBERS', KEYS[2])
