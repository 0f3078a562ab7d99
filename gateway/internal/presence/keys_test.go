package presence_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/gateway/internal/presence"
)

// anyUser draws ids that try to be something else: pieces of our own names and of Redis' patterns among any text.
var anyUser = rapid.OneOf(
	rapid.StringN(1, 128, 128),
	rapid.StringMatching(`[a:{}*?\[\]\\ |\n\r]{1,12}`),
	rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
		"websocket:", "online_users", "user:", "status:", "chatrooms:", "chatroom:users:", "fliliy:presence:", "user",
		"gateways", "dead", "pulse", "grace", "lease:", "held:", "changes:", "claim:", "seen:", "news:",
		"{", "}", "*", "1", "é", "busy", " ",
	}), 1, 6), func(parts []string) string { return strings.Join(parts, "") }),
)

// TestThreat18RedisKeyInjection: no two of all the things we keep share a key, whatever the ids are, and each key
// ends in the id as it is.
func TestThreat18RedisKeyInjection(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.SliceOfNDistinct(anyUser, 1, 8, rapid.ID[string]).Draw(t, "users")
		rooms := rapid.SliceOfNDistinct(rapid.Int64Min(1), 1, 8, rapid.ID[int64]).Draw(t, "rooms")
		owner := map[string]string{
			presence.OnlineUsersKey: "online users", presence.GatewaysKey: "gateways", presence.DeadKey: "dead gateways",
			presence.PulseKey: "pulse", presence.GraceKey: "grace",
		}
		add := func(key, id, what string) {
			if other, taken := owner[key]; taken {
				t.Fatalf("key %q is that of %s and of %s", key, other, what)
			}
			if !strings.HasSuffix(key, ":"+id) {
				t.Fatalf("key %q of %s does not end in %q", key, what, id)
			}
			owner[key] = what
		}
		for _, u := range users {
			add(presence.StatusKey(u), u, "status of "+u)
			add(presence.UserRoomsKey(u), u, "rooms of "+u)
			add(presence.RecordKey(u), u, "record of "+u)
			add(presence.SeenKey(u), u, "last seen of "+u)
			add(presence.LeaseKey(u), u, "lease of a gateway called "+u)
			add(presence.HeldKey(u), u, "users of a gateway called "+u)
			add(presence.ChangesKey(u), u, "changes of a gateway called "+u)
			add(presence.NewsKey(u), u, "news for a gateway called "+u)
			add(presence.ClaimKey(u), u, "claim on a gateway called "+u)
		}
		for _, room := range rooms {
			add(presence.RoomUsersKey(room), strconv.FormatInt(room, 10), fmt.Sprint("room ", room))
		}
	})
}
