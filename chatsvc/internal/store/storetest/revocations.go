package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// revoke revokes what was issued before a moment, for tokens of an hour.
func (h *house) revoke(user, reason string, before time.Time) chat.Revocation {
	h.t.Helper()
	revoked, err := h.store.Revoke(h.t.Context(), chat.RevocationAsk{
		UserID: user, Reason: reason, IssuedBefore: before, TokenLife: time.Hour,
	})
	if err != nil {
		h.t.Fatalf("revoke: %v", err)
	}
	return revoked
}

// revocations returns what is listed after a number.
func (h *house) revocations(after int64, limit int) ([]chat.Revocation, int64) {
	h.t.Helper()
	list, head, err := h.store.Revocations(h.t.Context(), after, limit)
	if err != nil {
		h.t.Fatalf("list revocations: %v", err)
	}
	return list, head
}

func testRevoke(t *testing.T, h *house) {
	if list, head := h.revocations(0, 10); len(list) != 0 || head != 0 {
		t.Fatalf("a new store lists %v, head %d", list, head)
	}
	begin := time.Now().UTC().Truncate(time.Second)
	first := h.revoke("alice", "stolen phone", begin.Add(-time.Minute))
	if !first.IssuedBefore.Equal(begin.Add(-time.Minute)) || first.UserID != "alice" || first.Reason != "stolen phone" ||
		!first.Until.Equal(first.IssuedBefore.Add(time.Hour)) || first.Number <= 0 {
		t.Errorf("revoked %+v", first)
	}
	if same := h.revoke("alice", "again", begin.Add(-time.Minute)); same != first {
		t.Errorf("the same again is %+v, want %+v", same, first)
	}
	if less := h.revoke("alice", "less", begin.Add(-time.Hour/2)); less != first {
		t.Errorf("one that reaches less far is %+v, want %+v", less, first)
	}
	bob := h.revoke("bob", "", begin)
	more := h.revoke("alice", "", time.Time{}) // now
	if at := more.IssuedBefore; at.Before(begin) || at.After(begin.Add(time.Minute)) || !at.Equal(at.Truncate(time.Second)) {
		t.Errorf("revoked before %v, want the second after now", more.IssuedBefore)
	}
	if more.Number <= bob.Number || bob.Number <= first.Number {
		t.Errorf("numbers %d, %d, %d do not grow", first.Number, bob.Number, more.Number)
	}
	list, head := h.revocations(0, 10)
	if len(list) != 2 || list[0] != bob || list[1] != more || head != more.Number {
		t.Errorf("listed %+v, head %d, want %+v and %+v", list, head, bob, more)
	}
	if list, head := h.revocations(0, 1); len(list) != 1 || list[0] != bob || head != more.Number {
		t.Errorf("a page of one is %+v, head %d", list, head)
	}
	if list, _ := h.revocations(bob.Number, 10); len(list) != 1 || list[0] != more {
		t.Errorf("after %d is %+v", bob.Number, list)
	}
	// One that is of no use any more is not listed, and forgotten; numbers go on growing.
	old := h.revoke("carol", "", begin.Add(-2*time.Hour))
	if list, _ := h.revocations(more.Number, 10); len(list) != 0 {
		t.Errorf("what has expired is listed: %+v", list)
	}
	next := h.revoke("dave", "", begin)
	if list, head := h.revocations(more.Number, 10); len(list) != 1 || list[0] != next || head != next.Number {
		t.Errorf("listed %+v, head %d, want %+v", list, head, next)
	}
	if next.Number <= old.Number {
		t.Errorf("number %d after %d", next.Number, old.Number)
	}
	again := h.open()
	defer again.Close()
	if list, _, err := again.Revocations(t.Context(), 0, 10); err != nil || len(list) != 3 {
		t.Errorf("after a restart %+v, %v, want three", list, err)
	}
}

// Who reads after the last number it knows misses none, whoever writes meanwhile.
func testConcurrentRevocations(t *testing.T, h *house) {
	const each = 5
	var writers sync.WaitGroup
	failed := make(chan error, h.features.Replicas*h.features.Writers)
	for replica := range h.features.Replicas {
		store := h.open()
		defer store.Close()
		for writer := range h.features.Writers {
			writers.Go(func() {
				for n := range each {
					user := fmt.Sprintf("user %d-%d-%d", replica, writer, n)
					if _, err := store.Revoke(t.Context(), chat.RevocationAsk{UserID: user, TokenLife: time.Hour}); err != nil {
						failed <- err
						return
					}
				}
			})
		}
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	seen, last := map[string]bool{}, int64(0)
	for finished := false; ; {
		list, _ := h.revocations(last, 7)
		for _, r := range list {
			if r.Number <= last {
				t.Fatalf("number %d after %d", r.Number, last)
			}
			seen[r.UserID], last = true, r.Number
		}
		if finished && len(list) == 0 {
			break
		}
		select {
		case <-done:
			finished = true
		default:
		}
	}
	close(failed)
	for err := range failed {
		t.Errorf("revoke: %v", err)
	}
	if want := h.features.Replicas * h.features.Writers * each; len(seen) != want {
		t.Errorf("%d revocations were seen, want %d", len(seen), want)
	}
}
