package rpc_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// watched notes what a store is asked about a room, in order.
type watched struct {
	backStore
	mu    sync.Mutex
	asked []string
}

func (w *watched) note(question string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, question)
}

// take returns what was asked since the last call.
func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

func (w *watched) Member(ctx context.Context, room int64, user string) (chat.Member, error) {
	w.note("Member")
	return w.backStore.Member(ctx, room, user)
}

func (w *watched) Members(ctx context.Context, room int64) ([]chat.Member, error) {
	w.note("Members")
	return w.backStore.Members(ctx, room)
}

func (w *watched) ChangeMembers(ctx context.Context, ask chat.MemberAsk, decide chat.MemberDecision) (chat.MemberOutcome, error) {
	w.note("ChangeMembers")
	return w.backStore.ChangeMembers(ctx, ask, decide)
}

func (w *watched) Entrance(ctx context.Context, room int64, user string) (chat.Member, []string, error) {
	w.note("Entrance")
	return w.backStore.Entrance(ctx, room, user)
}

func (w *watched) Heads(ctx context.Context, logs []chat.LogRef) ([]chat.Head, error) {
	w.note("Heads")
	return w.backStore.Heads(ctx, logs)
}

func (w *watched) Events(ctx context.Context, log chat.LogRef, stretch chat.Stretch) ([]chat.Event, error) {
	w.note("Events")
	return w.backStore.Events(ctx, log, stretch)
}

func (w *watched) MarkRead(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	w.note("MarkRead")
	return w.backStore.MarkRead(ctx, room, user, seq)
}

func (w *watched) MarkDelivered(ctx context.Context, room int64, user string, seq int64) (chat.Mark, error) {
	w.note("MarkDelivered")
	return w.backStore.MarkDelivered(ctx, room, user, seq)
}

// watchedAppender notes what goes to the scribe.
type watchedAppender struct {
	chat.Appender
	watch *watched
}

func (a watchedAppender) Submit(unit []chat.Draft, done func([]chat.Stored, error)) {
	a.watch.note("Submit")
	a.Appender.Submit(unit, done)
}

// RELIABILITY row 16: whether a room does not exist, or a stranger is not in it, the store is asked the same questions,
// in the same order; so it takes the same time to refuse.
func TestThreat16SameQuestions(t *testing.T) {
	t.Parallel()
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watch := &watched{}
			r := newRig(t, setup{
				faulty:   func(s backStore) backStore { watch.backStore = s; return watch },
				appender: func(a chat.Appender) chat.Appender { return watchedAppender{a, watch} },
			})
			room, _ := peopled(t, r)
			ask := func(room int64) []string {
				watch.take()
				if err := op.do(r, "stranger", room, 1); err == nil {
					t.Errorf("room %d: a stranger is not refused", room)
				}
				return watch.take()
			}
			there, missing := ask(room), ask(room+1_000_000)
			if !slices.Equal(there, missing) || len(there) == 0 {
				t.Errorf("the store is asked %q about a room that is there, %q about none", there, missing)
			}
		})
	}
}

// BenchmarkRefusal is what a stranger can measure: how long it takes to be refused.
func BenchmarkRefusal(b *testing.B) {
	r := newRig(b, setup{})
	room := r.room("alice", "bob")
	for what, do := range map[string]func(room int64) error{
		"read": func(room int64) error {
			_, err := r.chat.ListMessages(r.as("stranger"), &chatv1.ListMessagesRequest{ChatRoomId: room})
			return err
		},
		"send": func(room int64) error {
			_, err := r.chat.SendMessage(r.as("stranger"), &chatv1.SendMessageRequest{ChatRoomId: room, Content: "hi"})
			return err
		},
	} {
		for _, c := range []struct {
			name string
			room int64
		}{{"no such room", room + 1_000_000}, {"not a member", room}} {
			b.Run(what+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if do(c.room) == nil {
						b.Fatal("a stranger is not refused")
					}
				}
			})
		}
	}
}
