package destination_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/destination"
)

// FuzzDestination: what is understood has one spelling, names a room where its kind has one, and can be nothing but
// letters, digits and slashes; nothing is both for SEND and for SUBSCRIBE.
func FuzzDestination(f *testing.F) {
	for _, text := range []string{
		"/app/chat/42/send", "/app/chat/9223372036854775807/read", "/app/chat/1/typing", "/app/user/status", "/app/user/token",
		"/topic/chat/42", "/user/queue/messages", "/user/queue/errors", "/topic/chat/>", "/topic/chat/a.b", "/topic/chat/042",
		"/topic/chat/9223372036854775808", "/topic/chat/42/", "/user/bob/queue/messages", "/queue/messages-user1", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		send, sendErr := destination.ParseSend(text)
		subscribe, subscribeErr := destination.ParseSubscribe(text)
		if sendErr == nil && subscribeErr == nil {
			t.Fatalf("%q is for both", text)
		}
		for _, got := range []destination.Destination{send, subscribe} {
			if got != (destination.Destination{}) {
				understood(t, text, got)
			}
		}
	})
}

func understood(t *testing.T, text string, got destination.Destination) {
	t.Helper()
	if got.String() != text {
		t.Fatalf("%q prints as %q", text, got)
	}
	hasRoom := strings.HasPrefix(text, "/app/chat/") || strings.HasPrefix(text, "/topic/chat/")
	if hasRoom != (got.Room > 0) || got.Room < 0 {
		t.Fatalf("%q has the room %d", text, got.Room)
	}
	if strings.Trim(text, "/abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Fatalf("%q was understood", text)
	}
}
