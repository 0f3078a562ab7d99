package presence

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fliliy/chat/proto/presencekey"
)

// The keys that operators and the older system know, and that of when a user was last seen: others read them, too.
const (
	onlineUsersKey  = presencekey.OnlineUsers
	statusPrefix    = presencekey.StatusPrefix
	roomUsersPrefix = presencekey.RoomUsersPrefix
	userRoomsPrefix = presencekey.UserRoomsPrefix
	seenPrefix      = presencekey.SeenPrefix
)

// Our own book-keeping. All of it expires by itself once no gateway renews it.
const (
	gatewaysKey   = "fliliy:presence:gateways" // set of the gateways whose records count
	deadKey       = "fliliy:presence:dead"     // set of gateways that are being cleared away
	pulseKey      = "fliliy:presence:pulse"    // is there while any gateway is in touch
	graceKey      = "fliliy:presence:grace"    // is there for a while after Redis was away or emptied
	leasePrefix   = "fliliy:presence:lease:"   // + gateway: a number that rises with each call; or leaving, or dead
	heldPrefix    = "fliliy:presence:held:"    // + gateway: set of the users it has a record of
	changesPrefix = "fliliy:presence:changes:" // + gateway: list of changes it was not heard to have got
	newsPrefix    = "fliliy:presence:news:"    // + gateway: set of its users of whom another one told a change
	claimPrefix   = "fliliy:presence:claim:"   // + dead gateway: which one clears it away
	recordPrefix  = "fliliy:presence:user:"    // + user id: hash of gateway to record
)

// Lifetimes of keys without a renewal.
const (
	life     = 30 * time.Minute    // of all but these two
	seenLife = 30 * 24 * time.Hour // of when a user was last seen
	// A lease ends well before the keys written under it can, so that a server clock which leaps far enough for keys
	// to be lost is noticed by the lease.
	leaseLife = life / 2
)

func statusKey(user string) string     { return presencekey.Status(user) }
func userRoomsKey(user string) string  { return presencekey.UserRooms(user) }
func recordKey(user string) string     { return recordPrefix + user }
func seenKey(user string) string       { return presencekey.Seen(user) }
func roomUsersKey(room int64) string   { return presencekey.RoomUsers(room) }
func leaseKey(gateway string) string   { return leasePrefix + gateway }
func heldKey(gateway string) string    { return heldPrefix + gateway }
func changesKey(gateway string) string { return changesPrefix + gateway }
func newsKey(gateway string) string    { return newsPrefix + gateway }
func claimKey(gateway string) string   { return claimPrefix + gateway }

// luaNames is the start of each script: the names of keys and their lifetimes, in upper case.
func luaNames() string {
	var lua strings.Builder
	for _, constant := range [][2]string{
		{"ONLINE", onlineUsersKey},
		{"STATUS", statusPrefix},
		{"ROOM_USERS", roomUsersPrefix},
		{"USER_ROOMS", userRoomsPrefix},
		{"GATEWAYS", gatewaysKey},
		{"DEAD", deadKey},
		{"PULSE", pulseKey},
		{"GRACE", graceKey},
		{"LEASE", leasePrefix},
		{"HELD", heldPrefix},
		{"CHANGES", changesPrefix},
		{"NEWS", newsPrefix},
		{"CLAIM", claimPrefix},
		{"RECORD", recordPrefix},
		{"SEEN", seenPrefix},
		{"LIFE", millis(life)},
		{"SEEN_LIFE", millis(seenLife)},
		{"LEASE_LIFE", millis(leaseLife)},
	} {
		fmt.Fprintf(&lua, "local %s = '%s'\n", constant[0], constant[1])
	}
	return lua.String()
}

// millis is a duration as scripts take it.
func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
