package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
)

// What happens in a room that a store remembers, told by another replica: the store must not go by what it remembers.
func TestKnownRoomsAreThoseThatHaveNotChanged(t *testing.T) {
	t.Parallel()
	unit := func(room int64, sender string) []chat.Draft {
		return []chat.Draft{{Room: room, SenderID: sender, ClientMessageID: "id of " + sender, Type: chat.TypeText, Content: "hi"}}
	}
	change := func(user string, kind chat.Change, until time.Time) func(*testing.T, *postgres.Store, int64) {
		return func(t *testing.T, other *postgres.Store, room int64) {
			_, err := other.ChangeMembers(t.Context(), chat.MemberAsk{Room: room, By: "alice", Users: []string{user}},
				func(chat.Membership) ([]chat.MemberChange, error) {
					return []chat.MemberChange{{UserID: user, Change: kind, Until: until}}, nil
				})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		meanwhile func(*testing.T, *postgres.Store, int64)
		sender    string
		known     bool
		refused   chat.Code // by the whole of Append
		seq       int64
		live      int // members that the message is copied to
	}{
		"nothing": {sender: "bob", known: true, seq: 2, live: 2},
		"a message": {
			meanwhile: func(t *testing.T, other *postgres.Store, room int64) {
				if _, err := other.Append(t.Context(), [][]chat.Draft{say(room, "in between")}); err != nil {
					t.Fatal(err)
				}
			},
			sender: "bob", seq: 3, live: 2,
		},
		"a transaction that is rolled back": {
			meanwhile: func(t *testing.T, other *postgres.Store, room int64) {
				wrong := errors.New("changed her mind")
				_, err := other.ChangeMembers(t.Context(), chat.MemberAsk{Room: room, By: "alice", Users: []string{"bob"}},
					func(chat.Membership) ([]chat.MemberChange, error) { return nil, wrong })
				if !errors.Is(err, wrong) {
					t.Fatal(err)
				}
			},
			sender: "bob", known: true, seq: 2, live: 2,
		},
		"the sender is removed":     {meanwhile: change("bob", chat.Removed, time.Time{}), sender: "bob", refused: chat.Forbidden},
		"the sender is banned":      {meanwhile: change("bob", chat.Banned, time.Time{}), sender: "bob", refused: chat.Forbidden},
		"the sender is muted":       {meanwhile: change("bob", chat.Muted, time.Now().Add(time.Hour)), sender: "bob", refused: chat.Forbidden},
		"the other member is muted": {meanwhile: change("bob", chat.Muted, time.Now().Add(time.Hour)), sender: "alice", seq: 3, live: 2},
		"the sender comes":          {meanwhile: change("carol", chat.Joined, time.Time{}), sender: "carol", seq: 3, live: 3},
		"somebody comes":            {meanwhile: change("carol", chat.Joined, time.Time{}), sender: "bob", seq: 3, live: 3},
		"a stranger":                {sender: "mallory", refused: chat.Forbidden},
		"a repeat": {
			meanwhile: func(t *testing.T, other *postgres.Store, room int64) {
				if _, err := other.Append(t.Context(), [][]chat.Draft{unit(room, "bob")}); err != nil {
					t.Fatal(err)
				}
			},
			sender: "bob", seq: 2,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := server.NewDatabase(t)
			store, other := open(t, url), open(t, url)
			defer store.Close()
			defer other.Close()
			room := newRoom(t, store)
			if _, err := store.Append(t.Context(), [][]chat.Draft{say(room, "so that it is remembered")}); err != nil {
				t.Fatal(err)
			}
			if tc.meanwhile != nil {
				tc.meanwhile(t, other, room)
			}
			appended, known, err := store.AppendKnown(t.Context(), [][]chat.Draft{unit(room, tc.sender)})
			if err != nil || known != tc.known {
				t.Fatalf("known %v, %v; want %v", known, err, tc.known)
			}
			if !known {
				if appended, err = store.Append(t.Context(), [][]chat.Draft{unit(room, tc.sender)}); err != nil {
					t.Fatal(err)
				}
			}
			outcome := appended.Outcomes[0]
			if tc.refused != "" {
				if outcome.Err == nil || outcome.Err.Code != tc.refused {
					t.Errorf("outcome %+v, want %s", outcome, tc.refused)
				}
				return
			}
			if outcome.Err != nil || outcome.Stored[0].Seq != tc.seq || len(appended.Audience[room]) != tc.live {
				t.Errorf("outcome %+v for %v; want seq %d, %d members", outcome, appended.Audience, tc.seq, tc.live)
			}
		})
	}
}

// What this store has stored itself, too: a client that repeats a message gets the first answer, and where somebody is
// muted the clock has a say in every message.
func TestKnownRoomsMeetRepeatsAndMutes(t *testing.T) {
	t.Parallel()
	store := open(t, server.NewDatabase(t))
	defer store.Close()
	room := newRoom(t, store)
	once := []chat.Draft{{Room: room, SenderID: "bob", ClientMessageID: "once", Type: chat.TypeText, Content: "hi"}}
	if _, err := store.Append(t.Context(), [][]chat.Draft{once}); err != nil {
		t.Fatal(err)
	}
	if _, known, err := store.AppendKnown(t.Context(), [][]chat.Draft{say(room, "new"), once}); known || err != nil {
		t.Errorf("a repeat: known %v, %v", known, err)
	}
	appended, err := store.Append(t.Context(), [][]chat.Draft{say(room, "new"), once})
	if err != nil || len(appended.Events) != 1 || !appended.Outcomes[1].Stored[0].Duplicate {
		t.Errorf("a repeat: %+v, %v", appended, err)
	}
	store.ForgetRepeats()
	_, err = store.ChangeMembers(t.Context(), chat.MemberAsk{Room: room, By: "alice", Users: []string{"bob"}},
		func(chat.Membership) ([]chat.MemberChange, error) {
			return []chat.MemberChange{{UserID: "bob", Change: chat.Muted, Until: time.Now().Add(time.Hour)}}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, known, err := store.AppendKnown(t.Context(), [][]chat.Draft{say(room, "alice may")}); known || err != nil {
			t.Errorf("somebody is muted: known %v, %v", known, err)
		}
		if _, err := store.Append(t.Context(), [][]chat.Draft{say(room, "alice may")}); err != nil {
			t.Fatal(err)
		}
	}
}

// All rooms of a batch must be as remembered, or nothing of it is stored.
func TestKnownBatchIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	store, other := open(t, url), open(t, url)
	defer store.Close()
	defer other.Close()
	var units [][]chat.Draft
	for range 20 {
		units = append(units, say(newRoom(t, store), "hi"))
	}
	appendAll := func(known bool) {
		t.Helper()
		appended, done, err := store.AppendKnown(t.Context(), units)
		if err != nil || done != known || done && len(appended.Events) != len(units) {
			t.Fatalf("known %v with %d events, %v; want %v", done, len(appended.Events), err, known)
		}
	}
	appendAll(false)
	if _, err := store.Append(t.Context(), units); err != nil {
		t.Fatal(err)
	}
	appendAll(true)
	if _, err := other.Append(t.Context(), units[13:14]); err != nil {
		t.Fatal(err)
	}
	appendAll(false)
	for i, want := range map[int]int64{0: 3, 13: 4, 19: 3} {
		appended, err := store.Append(t.Context(), units[i:i+1])
		if err != nil || appended.Events[0].Seq != want {
			t.Errorf("room %d goes on with %+v, %v; want seq %d", i, appended.Events, err, want)
		}
	}
}

// A store whose idea of the time is wrong reads it again: times of a log never go back, and are the database's.
func TestKnownAppendsHaveTheDatabasesTime(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"a minute behind": -time.Minute, "two seconds ahead": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open(t, server.NewDatabase(t))
			defer store.Close()
			room := newRoom(t, store)
			last := time.Time{}
			for i := range 4 {
				if i == 2 {
					store.ShiftClock(by)
					if _, known, err := store.AppendKnown(t.Context(), [][]chat.Draft{say(room, "hi")}); known || err != nil {
						t.Errorf("known %v, %v, with a wrong clock", known, err)
					}
				}
				appended, err := store.Append(t.Context(), [][]chat.Draft{say(room, "hi")})
				if err != nil {
					t.Fatal(err)
				}
				at := appended.Events[0].At
				if !at.After(last) || time.Since(at).Abs() > 30*time.Second {
					t.Errorf("event %d is of %v, the one before of %v", i+1, at, last)
				}
				last = at
			}
		})
	}
}
