package presence

// What the tests of the key names need.
var (
	StatusKey    = statusKey
	UserRoomsKey = userRoomsKey
	RoomUsersKey = roomUsersKey
	RecordKey    = recordKey
	LeaseKey     = leaseKey
	HeldKey      = heldKey
)

// The keys without a variable part.
const (
	OnlineUsersKey = onlineUsersKey
	GatewaysKey    = gatewaysKey
)
