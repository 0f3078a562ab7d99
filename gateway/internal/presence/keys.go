package presence

import "strconv"

// The keys that operators and the older system know (DESIGN section 4). A variable part always stands last and is
// taken as it is: whatever bytes a user id has, two ids never share a key, and no prefix is the start of another.
const (
	onlineUsersKey  = "websocket:online_users"
	statusPrefix    = "websocket:user:status:"
	roomUsersPrefix = "websocket:chatroom:users:"
	userRoomsPrefix = "websocket:user:chatrooms:"
)

// Our own book-keeping. All of it expires by itself once no gateway renews it.
const (
	gatewaysKey  = "fliliy:presence:gateways" // set of gateways, dead ones too until their users are cleared away
	leasePrefix  = "fliliy:presence:lease:"   // + gateway: its lease, a number that rises with each call
	heldPrefix   = "fliliy:presence:held:"    // + gateway: set of the users it has a record of
	recordPrefix = "fliliy:presence:user:"    // + user id: hash of gateway to record
)

func statusKey(user string) string    { return statusPrefix + user }
func userRoomsKey(user string) string { return userRoomsPrefix + user }
func recordKey(user string) string    { return recordPrefix + user }
func roomUsersKey(room int64) string  { return roomUsersPrefix + strconv.FormatInt(room, 10) }
func leaseKey(gateway string) string  { return leasePrefix + gateway }
func heldKey(gateway string) string   { return heldPrefix + gateway }
