// Package presence keeps who is online, and in which room, in Redis. The session calls it through session.Presence;
// gateway.go runs it. It decides no access, sends no event, and no session ever waits for it.
//
// # Four keys for operators
//
//	websocket:online_users                 set of user ids
//	websocket:user:status:{userId}         string online, away or busy; lives 30 minutes, renewed while connected
//	websocket:chatroom:users:{chatRoomId}  set of user ids
//	websocket:user:chatrooms:{userId}      set of room ids
//
// They are derived: behind them stands one record for each pair of user and gateway, which says what that user's
// sessions on that gateway add up to (a status and a set of rooms). The gateway counts sessions in its own memory, so
// the first session of a user makes a record and the last one removes it; a script merges the records of all gateways
// whose lease is alive into the four keys, atomically. A session's lease is that of its gateway: both end together.
//
// # State, not steps
//
// What goes to Redis is always a user's whole record, never "one session more". So changes of one user that wait
// together become one, repeating one does no harm, and after any trouble the answer is the same: write everything
// this gateway knows again, and withdraw what it had written and does not know any more. The waiting line therefore
// holds each user at most once; it is bounded by the users on this gateway, and nothing is ever dropped.
//
// # How trouble is noticed
//
// The lease of a gateway holds a number that this gateway raises with each script call, and each call first compares
// it. An emptied Redis, a restart from an old snapshot, a fail-over to a replica that lagged, a lease that expired in
// a long pause, a call whose outcome is unknown: each makes the comparison fail (or is an error), and is followed by
// a rebuild. While Redis is away, changes stay in memory and a rebuild is tried on each tick of the lease.
//
// # Redis Cluster
//
// The names of the four keys are fixed and share no hash tag, so no script can touch them together on a Redis
// Cluster. Run refuses a cluster client; one primary, alone or under Sentinel, is what presence needs. The decision
// and its figures: deploy/docs/adr/0003-presence-in-redis.md.
package presence
