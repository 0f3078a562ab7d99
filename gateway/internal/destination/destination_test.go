package destination_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/destination"
)

func TestParseSend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]destination.Destination{
		"/app/chat/42/send":                  {Kind: destination.RoomSend, Room: 42},
		"/app/chat/1/read":                   {Kind: destination.RoomRead, Room: 1},
		"/app/chat/9223372036854775807/send": {Kind: destination.RoomSend, Room: math.MaxInt64},
		"/app/chat/100/typing":               {Kind: destination.RoomTyping, Room: 100},
		"/app/chat/42/edit":                  {Kind: destination.RoomEdit, Room: 42},
		"/app/chat/42/recall":                {Kind: destination.RoomRecall, Room: 42},
		"/app/user/status":                   {Kind: destination.UserStatus},
		"/app/user/token":                    {Kind: destination.UserToken},
	} {
		check(t, text, destination.ParseSend, want)
	}
}

func TestParseSubscribe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]destination.Destination{
		"/topic/chat/42":                  {Kind: destination.RoomTopic, Room: 42},
		"/topic/chat/9223372036854775807": {Kind: destination.RoomTopic, Room: math.MaxInt64},
		"/user/queue/messages":            {Kind: destination.Inbox},
		"/user/queue/errors":              {Kind: destination.Errors},
	} {
		check(t, text, destination.ParseSubscribe, want)
	}
}

type parser = func(string) (destination.Destination, error)

func check(t *testing.T, text string, parse parser, want destination.Destination) {
	t.Helper()
	got, err := parse(text)
	if err != nil || got != want {
		t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
	}
	if got.String() != text {
		t.Errorf("%q prints as %q", text, got.String())
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for text, parse := range map[string]parser{
		"/app/chat/9223372036854775807/send": destination.ParseSend, "/topic/chat/42": destination.ParseSubscribe,
	} {
		if n := testing.AllocsPerRun(10, func() { _, _ = parse(text) }); n != 0 {
			t.Errorf("%q: %v allocations, want none", text, n)
		}
	}
}

func TestStringOfNoKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []destination.Kind{0, destination.Errors + 1, 255} {
		if got := (destination.Destination{Kind: kind, Room: 1}).String(); got != "" {
			t.Errorf("kind %d prints as %q", kind, got)
		}
	}
}

// badRooms stand where a room id should; none may ever become part of a subject or a key.
var badRooms = map[string]string{
	"empty":                  "",
	"star":                   "*",
	"two stars":              "**",
	"greater":                ">",
	"dot":                    "a.b",
	"dots of numbers":        "4.2",
	"dot greater":            "a.>",
	"space":                  " ",
	"space before":           " 42",
	"space behind":           "42 ",
	"tab":                    "42\t",
	"CRLF and a NATS verb":   "42\r\nPUB x 0\r\n",
	"LF":                     "42\n",
	"NUL":                    "42\x00",
	"letters":                "room",
	"hexadecimal":            "0x2a",
	"exponent":               "1e3",
	"underscore":             "1_000",
	"comma":                  "1,000",
	"Arabic digits":          "٤٢",
	"full-width digits":      "４２",
	"superscript":            "4²",
	"no UTF-8":               "\xff\xfe",
	"zero":                   "0",
	"minus zero":             "-0",
	"negative":               "-1",
	"plus":                   "+1",
	"leading zero":           "042",
	"many leading zeros":     "0000000000000000000042",
	"2^63":                   "9223372036854775808",
	"2^64 + 42":              "18446744073709551658",
	"25 digits":              "1000000000000000000000042",
	"percent":                "4%32",
	"brace":                  "{chatRoomId}",
	"colon":                  "4:2",
	"dots of a path":         "..",
	"escaped slash":          "42%2F43",
	"backslash":              `4\2`,
	"matrix parameter":       "42;a=b",
	"200 digits":             strings.Repeat("9", 200),
	"unicode look-alike one": "Ⅰ",
}

func TestBadRoomsAreRefused(t *testing.T) {
	t.Parallel()
	for name, room := range badRooms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"send", "read", "typing", "edit", "recall"} {
				refused(t, destination.ParseSend, "/app/chat/"+room+"/"+verb, "chat room")
			}
			refused(t, destination.ParseSubscribe, "/topic/chat/"+room, "chat room")
		})
	}
}

// refused wants an error that says something about what the client may do instead, in a line of harmless text.
func refused(t *testing.T, parse parser, text, mention string) {
	t.Helper()
	got, err := parse(text)
	if err == nil || got != (destination.Destination{}) {
		t.Errorf("%q: %+v, %v; want an error and no destination", text, got, err)
		return
	}
	if !strings.Contains(err.Error(), mention) {
		t.Errorf("%q: error %q does not mention %q", text, err, mention)
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		t.Errorf("%q: error %q holds control characters", text, err)
	}
	if len(err.Error()) > 600 {
		t.Errorf("%.20q: error of %d octets", text, len(err.Error()))
	}
}

// nowhere can neither be sent nor subscribed to.
var nowhere = map[string]string{
	"slash":                          "/",
	"no slash":                       "app/chat/42/send",
	"two slashes":                    "//app/chat/42/send",
	"room without verb":              "/app/chat/42",
	"room with an empty verb":        "/app/chat/42/",
	"unknown verb":                   "/app/chat/42/delete",
	"verb of the relay alone":        "/app/chat/42/delivered",
	"upper case verb":                "/app/chat/42/SEND",
	"trailing slash":                 "/app/chat/42/send/",
	"one part more":                  "/app/chat/42/send/x",
	"empty part":                     "/app/chat//42/send",
	"query":                          "/app/chat/42/send?x=1",
	"star for a verb":                "/app/chat/42/*",
	"everything of app":              "/app/**",
	"path goes up":                   "/app/chat/../chat/42/send",
	"upper case":                     "/APP/CHAT/42/SEND",
	"user status, trailing slash":    "/app/user/status/",
	"user, other":                    "/app/user/other",
	"topic, trailing slash":          "/topic/chat/42/",
	"topic, one part more":           "/topic/chat/42/send",
	"topic, other":                   "/topic/other/42",
	"topic, everything":              "/topic/**",
	"topic, greater":                 "/topic/>",
	"inbox of another user":          "/user/bob/queue/messages",
	"inbox, session suffix":          "/user/queue/messages-user1",
	"inbox, resolved by session":     "/queue/messages-user1",
	"inbox, resolved":                "/queue/messages",
	"queue, everything":              "/queue/**",
	"queue, greater":                 "/queue/>",
	"user, everything":               "/user/**",
	"user, path goes up":             "/user/../bob/queue/messages",
	"user, escaped slash":            "/user%2Fqueue/messages",
	"user, escaped slash at the end": "/user/queue%2Fmessages",
	"inbox, trailing slash":          "/user/queue/messages/",
	"inbox, space":                   "/user/queue/messages ",
	"inbox, CRLF":                    "/user/queue/messages\r\nx:y",
	"inbox, NUL":                     "/user/queue/messages\x00",
	"errors, star":                   "/user/queue/*",
	"NATS subject":                   "chat.v1.room.42",
	"RabbitMQ exchange":              "/exchange/amq.topic/chat.42",
	"SpEL":                           "T(java.lang.Runtime).getRuntime().exec('x')",
	"no UTF-8":                       "/topic/chat/\xff/\xfe",
}

func TestOtherDestinationsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range nowhere {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, destination.ParseSend, text, "/app/chat/{chatRoomId}/send")
			refused(t, destination.ParseSubscribe, text, "/topic/chat/{chatRoomId}")
		})
	}
}

func TestThreat42EmptyAndLongDestinations(t *testing.T) {
	t.Parallel()
	refused(t, destination.ParseSend, "", "missing or empty; offered: /app/chat/{chatRoomId}/send")
	refused(t, destination.ParseSubscribe, "", "missing or empty; offered: /topic/chat/{chatRoomId}")
	for _, n := range []int{256, 300, 1 << 20} {
		long := "/topic/chat/" + strings.Repeat("1", n-len("/topic/chat/"))
		refused(t, destination.ParseSend, long, "more than 255")
		refused(t, destination.ParseSubscribe, long, "more than 255")
	}
	refused(t, destination.ParseSend, strings.Repeat("\x01", 255), "there is no destination")
	refused(t, destination.ParseSubscribe, "/"+strings.Repeat("你", 84), "there is no destination")
}

// Clients do not speak in the server's name, and hear nothing where they send.
func TestSendAndSubscribeAreApart(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"/topic/chat/42", "/user/queue/messages", "/user/queue/errors"} {
		refused(t, destination.ParseSend, text, "clients subscribe to")
	}
	for _, text := range []string{"/app/chat/42/send", "/app/chat/42/recall", "/app/user/status", "/app/user/token"} {
		refused(t, destination.ParseSubscribe, text, "clients send to")
	}
}
