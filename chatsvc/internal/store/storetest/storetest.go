// Package storetest is the one suite that every store must pass, so that nothing above can tell them apart. Tests of
// the stores call Exercise; nothing else does.
package storetest

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/internal/fake"
)

// Store is all that a store offers.
type Store interface {
	chat.Store
	Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error)
	RecentHeads(ctx context.Context, window time.Duration) ([]chat.Head, error)
	Close()
}

// Features are honest differences between stores.
type Features struct {
	Replicas int // how many instances may work on one database at the same time
	Writers  int // how many goroutines of each instance the concurrency tests start
}

// OpenFunc makes a fresh database for the test and returns how to open an instance on it. The caller closes.
type OpenFunc func(t *testing.T) func() Store

// Exercise runs the suite.
func Exercise(t *testing.T, open OpenFunc, features Features) {
	t.Helper()
	suites := map[string]func(*testing.T, *house){
		"Create":       testCreate,
		"Direct":       testDirect,
		"List":         testList,
		"Unread":       testUnread,
		"UnreadModel":  testUnreadModel,
		"Entrance":     testEntrance,
		"Circle":       testCircle,
		"Add":          testAdd,
		"Remove":       testRemove,
		"Refused":      testRefusedChanges,
		"Injection":    testThreat19Injection,
		"Muted":        testMuted,
		"MuteEnds":     testMuteEnds,
		"Banned":       testBanned,
		"DirectBan":    testBannedFromDirect,
		"Absences":     testAbsences,
		"LargeRoom":    testLargeRoom,
		"Append":       testAppend,
		"Idempotent":   testIdempotent,
		"AllOrNone":    testAllOrNone,
		"NonMember":    testNonMember,
		"Removed":      testRemovedCannotAppend,
		"Texts":        testTexts,
		"History":      testHistory,
		"Heads":        testHeads,
		"RecentHeads":  testRecentHeads,
		"Marks":        testMarks,
		"LargeMarks":   testLargeRoomMarks,
		"Delivered":    testDelivered,
		"Edit":         testEdit,
		"Recall":       testRecall,
		"Revisions":    testRefusedRevisions,
		"Windows":      testRevisionWindows,
		"HoldOff":      testHoldOff,
		"SameBatch":    testRevisionsInOneBatch,
		"RecallRace":   testConcurrentRecalls,
		"MarkRace":     testConcurrentMarks,
		"Inbox":        testInbox,
		"InboxNumber":  testInboxNumberIsNoRoom,
		"Subscribe":    testSubscribe,
		"Restart":      testRestart,
		"Appends":      testConcurrentAppends,
		"Repeats":      testConcurrentRepeats,
		"DirectRace":   testConcurrentDirect,
		"RemovalRace":  testRemovalRace,
		"InboxRace":    testConcurrentInboxes,
		"CancelledCtx": testCancelled,
		"Revoke":       testRevoke,
		"RevokeRace":   testConcurrentRevocations,
	}
	for name, test := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newHouse(t, open(t), features))
		})
	}
}

// house is the rules over the store under test.
type house struct {
	t        *testing.T
	open     func() Store
	features Features
	store    Store
	pub      *fake.Publisher
	rooms    *chat.Rooms
	marks    *chat.Marks
	logs     *chat.Logs
}

func newHouse(t *testing.T, open func() Store, features Features) *house {
	h := &house{t: t, open: open, features: features, pub: new(fake.Publisher)}
	h.use(open())
	t.Cleanup(func() { h.store.Close() })
	return h
}

func (h *house) use(store Store) {
	h.store = store
	h.rooms = chat.NewRooms(store, h.pub)
	h.marks = chat.NewMarks(store, h.pub)
	h.logs = chat.NewLogs(store, h.marks)
}

// room makes a named room of the creator and others.
func (h *house) room(creator string, others ...string) int64 {
	h.t.Helper()
	room, _, err := h.rooms.Create(h.t.Context(), creator, chat.NewRoom{Name: "a room", MemberIDs: others})
	if err != nil {
		h.t.Fatalf("create a room: %v", err)
	}
	return room.ID
}

// append stores units of one transaction.
func (h *house) append(units ...[]chat.Draft) chat.Appended {
	h.t.Helper()
	appended, err := h.store.Append(h.t.Context(), units)
	if err != nil {
		h.t.Fatalf("append: %v", err)
	}
	if len(appended.Outcomes) != len(units) {
		h.t.Fatalf("append answered %d of %d units", len(appended.Outcomes), len(units))
	}
	return appended
}

// say stores one message and returns where.
func (h *house) say(room int64, sender, content string) chat.Stored {
	h.t.Helper()
	outcome := h.append(unit(text(room, sender, content))).Outcomes[0]
	if outcome.Err != nil {
		h.t.Fatalf("%s says %q: %v", sender, content, outcome.Err)
	}
	return outcome.Stored[0]
}

// history reads a whole log and checks that it has no hole.
func (h *house) history(log chat.LogRef) []chat.Event {
	h.t.Helper()
	var all []chat.Event
	for {
		events, head, err := h.logs.Read(h.t.Context(), log, int64(len(all)), 0)
		if err != nil {
			h.t.Fatalf("read log: %v", err)
		}
		all = append(all, events...)
		for i := range all {
			if all[i].Seq != int64(i+1) {
				h.t.Fatalf("place %d of the log has seq %d", i+1, all[i].Seq)
			}
		}
		if int64(len(all)) == head {
			return all
		}
		if len(events) == 0 {
			h.t.Fatalf("the log ends at %d, its head is %d", len(all), head)
		}
	}
}

func (h *house) head(log chat.LogRef) int64 {
	h.t.Helper()
	heads, err := h.logs.Heads(h.t.Context(), []chat.LogRef{log})
	if err != nil {
		h.t.Fatalf("read head: %v", err)
	}
	return heads[0].Seq
}

func unit(drafts ...chat.Draft) []chat.Draft { return drafts }

func text(room int64, sender, content string) chat.Draft {
	return chat.Draft{Room: room, SenderID: sender, Type: chat.TypeText, Content: content}
}

func withID(d chat.Draft, id string) chat.Draft {
	d.ClientMessageID = id
	return d
}

func roomLog(room int64) chat.LogRef { return chat.LogRef{Room: room} }

func number(prefix string, i int) string { return prefix + strconv.Itoa(i) }

// wantCode fails unless err has the code.
func wantCode(t *testing.T, err error, code chat.Code) {
	t.Helper()
	if got := chat.CodeOf(err); got != code {
		t.Errorf("error is %v (%s), want %s", err, got, code)
	}
}
