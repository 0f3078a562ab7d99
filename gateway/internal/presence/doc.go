// Package presence keeps who is online, and in which room, in Redis, tells changes once, and answers who is there. The
// session calls it through session.Presence; gateway.go runs it. It decides no access, sends no event, and no session
// ever waits for it.
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
// that are not dead into the four keys, atomically. A session's lease is that of its gateway: both end together.
//
// A session counts for a debounce after its end, with its status and its rooms. So the keys and the changes are of the
// same, debounced truth, and who comes back at once, here or on another gateway, was never away.
//
// # State, not steps
//
// What goes to Redis is always a user's whole record, never "one session more". So changes of one user that wait
// together become one, repeating one does no harm, and after any trouble the answer is the same: write everything
// this gateway knows again, and withdraw what it had written and does not know any more. The waiting line therefore
// holds each user at most once; it is bounded by the users on this gateway, and nothing is ever dropped.
//
// # Who tells a change
//
// Redis holds what was last told of each user, and since when (fliliy:presence:seen:{userId}, which is also when she
// was last seen). The script that makes a difference tells it, and no other; so each change is told by one gateway. It
// stays in Redis until that gateway was heard to have got the answer: what is lost on the way is found again on the
// next call, or by who clears the gateway away. Each gateway remembers what was told of its own users, so that an
// emptied Redis does not make them come again.
//
// # How trouble is noticed
//
// The lease of a gateway holds a number that this gateway raises with each script call, and each call first compares
// it. An emptied Redis, a restart from an old snapshot, a fail-over to a replica that lagged, a call whose outcome is
// unknown: each makes the comparison fail (or is an error), and is followed by a rebuild. While Redis is away, changes
// stay in memory and a rebuild is tried on each beat. Where Redis was away for all gateways, or emptied, there is a
// grace of one LeaseTTL: nobody is taken offline and nothing is told before all gateways had the time to come back.
//
// A gateway whose number does not move for one LeaseTTL is dead. Whichever gateway sees it claims it, in the script
// that takes its first users away; the others leave it alone. A gateway that is told to end leaves its users to the
// others in the same way, after one debounce; only the last one takes them offline itself.
//
// What nobody can know: who was only on a gateway that died while Redis was empty or away, and was not there any more
// when Redis was back. She is not in the keys, but her going is not told; a snapshot corrects it.
//
// # Redis Cluster
//
// The names of the four keys are fixed and share no hash tag, so no script can touch them together on a Redis
// Cluster. Run refuses a cluster client; one primary, alone or under Sentinel, is what presence needs. The decisions:
// deploy/docs/adr/0003-presence-in-redis.md and 0006-presence-changes-and-death.md.
package presence
