package chatsvc_test

import (
	"testing"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// deadEnd is a NATS address at which nobody ever listens.
const deadEnd = "nats://127.0.0.1:1"

// untold has a service that is cut off from NATS store an event of every kind, and returns the heads.
func untold(s *running) map[string]int64 {
	s.tb.Helper()
	said, joined := s.room("alice", "bob"), s.room("alice", "bob")
	s.say("alice", said, "the last words of this room", "")
	if _, err := s.chat.AddMembers(as(s.tb, "alice"), &chatv1.AddMembersRequest{
		ChatRoomId: joined, MemberIds: []string{"carol"},
	}); err != nil {
		s.tb.Fatalf("add a member: %v", err)
	}
	if _, err := s.chat.SendNotification(as(s.tb, "alice"), &chatv1.SendNotificationRequest{
		UserId: "bob", Title: "sold",
	}); err != nil {
		s.tb.Fatalf("notify: %v", err)
	}
	return map[string]int64{logName(said, ""): 1, logName(joined, ""): 1, logName(0, "bob"): 1}
}

// hearsAll waits until digests have named all the heads.
func (e *ear) hearsAll(want map[string]int64) {
	e.tb.Helper()
	named := map[string]int64{}
	for len(named) < len(want) {
		for log, seq := range e.digest() {
			if _, wanted := want[log]; wanted {
				named[log] = seq
			}
		}
	}
	for log, seq := range want {
		if named[log] != seq {
			e.tb.Errorf("digests name %s with seq %d, want %d", log, named[log], seq)
		}
	}
}

func TestAnotherReplicaNamesWhatWasStoredAndNeverTold(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, url string) {
		broker := startBroker(t)
		start(t, url, broker.url())
		cutOff := start(t, url, deadEnd)
		ear := listen(t, broker.url())
		ear.hearsAll(untold(cutOff))
	})
}

func TestRestartNamesWhatWasStoredAndNeverTold(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, url string) {
		broker := startBroker(t)
		ear := listen(t, broker.url())
		only := start(t, url, deadEnd)
		want := untold(only)
		only.stop()
		start(t, url, broker.url())
		ear.hearsAll(want)
	})
}
