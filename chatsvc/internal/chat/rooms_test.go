package chat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// creations is a RoomStore that remembers what was to be created. The tests call nothing else.
type creations struct {
	chat.RoomStore
	asked []chat.NewRoom
}

func (c *creations) CreateRoom(_ context.Context, room chat.NewRoom) (chat.Room, bool, error) {
	c.asked = append(c.asked, room)
	return chat.Room{ID: 1}, true, nil
}

func TestCreateRoomChecksWhatIsAsked(t *testing.T) {
	users := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprint("user", i)
		}
		return all
	}
	cases := []struct {
		name   string
		ask    chat.NewRoom
		want   chat.Code
		direct bool
	}{
		{"two without a name", chat.NewRoom{MemberIDs: []string{"bob"}}, "", true},
		{"the creator named too", chat.NewRoom{MemberIDs: []string{"bob", "alice", "bob"}}, "", true},
		{"two with a name", chat.NewRoom{MemberIDs: []string{"bob"}, Name: "n"}, "", false},
		{"three", chat.NewRoom{MemberIDs: []string{"bob", "carol"}}, "", false},
		{"alone with a name", chat.NewRoom{Name: "n"}, "", false},
		{"alone without a name", chat.NewRoom{MemberIDs: []string{"alice"}}, chat.Invalid, false},
		{"128 characters", chat.NewRoom{Name: strings.Repeat("你", 128)}, "", false},
		{"129 characters", chat.NewRoom{Name: strings.Repeat("你", 129)}, chat.Invalid, false},
		{"long listing", chat.NewRoom{Name: "n", ListingID: strings.Repeat("x", 129)}, chat.Invalid, false},
		{"NUL in the name", chat.NewRoom{Name: "n\x00"}, chat.Invalid, false},
		{"1,000 members", chat.NewRoom{MemberIDs: users(1000)}, "", false},
		{"1,001 members", chat.NewRoom{MemberIDs: users(1001)}, chat.TooLarge, false},
		{"no user id", chat.NewRoom{MemberIDs: []string{""}}, chat.Invalid, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := new(creations)
			_, _, err := chat.NewRooms(store, nil).Create(t.Context(), "alice", c.ask)
			if chat.CodeOf(err) != c.want {
				t.Fatalf("error is %v, want %q", err, c.want)
			}
			if (len(store.asked) == 1) != (c.want == "") {
				t.Fatalf("the store was asked %d times", len(store.asked))
			}
			if len(store.asked) == 1 && (store.asked[0].Direct() != c.direct || store.asked[0].MemberIDs[0] != "alice") {
				t.Errorf("asked for %+v, want direct %v and the creator first", store.asked[0], c.direct)
			}
		})
	}
}

func TestPagesAreBounded(t *testing.T) {
	rooms, messages := chat.NewRooms(nil, nil), chat.NewMessages(nil, nil)
	list := func(limit int, token string) error {
		_, _, err := rooms.List(t.Context(), "alice", limit, token)
		return err
	}
	history := func(r chat.Range) error {
		_, _, err := messages.History(t.Context(), "alice", 1, r)
		return err
	}
	for name, err := range map[string]error{
		"negative number of rooms": list(-1, ""),
		"101 rooms":                list(101, ""),
		"a token of others":        list(1, "bm9wZQ"),
		"a token that is no text":  list(1, "§"),
		"negative limit":           history(chat.Range{After: -1, Limit: -1}),
		"1,001 events":             history(chat.Range{After: -1, Limit: 1001}),
		"negative before":          history(chat.Range{Before: -1, After: -1}),
		"negative after":           history(chat.Range{After: -2}),
		"both bounds":              history(chat.Range{Before: 5, After: 1}),
	} {
		if chat.CodeOf(err) != chat.Invalid {
			t.Errorf("%s: error is %v, want INVALID", name, err)
		}
	}
}

func TestThreat31RefusalShowsNoInternals(t *testing.T) {
	refused := &chat.Error{Code: chat.Forbidden, Message: "no"}
	cases := map[string]struct {
		err  error
		want chat.Code
	}{
		"a refusal":         {refused, chat.Forbidden},
		"a wrapped refusal": {fmt.Errorf("change members: %w", refused), chat.Forbidden},
		"database away":     {fmt.Errorf("%w: secret", chat.ErrTransient), chat.Unavailable},
		"commit in doubt":   {&chat.InDoubt{Err: errors.New("secret")}, chat.Unavailable},
		"no time":           {fmt.Errorf("secret: %w", context.DeadlineExceeded), chat.Unavailable},
		"a fault":           {errors.New("secret"), chat.Internal},
	}
	for name, c := range cases {
		refusal := chat.Refusal(c.err)
		if refusal.Code != c.want || chat.CodeOf(c.err) != c.want {
			t.Errorf("%s: code is %s, want %s", name, refusal.Code, c.want)
		}
		if strings.Contains(refusal.Message, "secret") {
			t.Errorf("%s: clients would read %q", name, refusal.Message)
		}
	}
	if got := chat.CodeOf(nil); got != "" {
		t.Errorf("no error has code %q", got)
	}
}
