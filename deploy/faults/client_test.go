package faults_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/deploy/faults"
)

// pinned keeps a client on one gateway.
func pinned(gateway int) func(*faults.ClientConfig) {
	return func(cfg *faults.ClientConfig) { cfg.Gateways = cfg.Gateways[gateway : gateway+1] }
}

func TestClientsTalk(t *testing.T) {
	r := newRig(t)
	room, other := r.room("alice", "bob"), r.room("alice", "bob")
	rooms := []int64{room, other}
	a, b := r.client("alice", rooms, pinned(0)), r.client("bob", rooms, pinned(1))
	first := r.send(a, room, "你好")
	if want := (faults.Receipt{MessageID: first.MessageID, Seq: 1}); first != want || first.MessageID == "" {
		t.Errorf("receipt = %+v, want seq 1 with a message id", first)
	}
	r.send(b, room, "hi")
	r.send(b, other, "and here")
	for _, c := range []*faults.Client{a, b} {
		r.must(c.AwaitSeq(r.ctx, room, 2))
		r.must(c.AwaitSeq(r.ctx, other, 1))
	}
	report := r.check("alice")
	want := &faults.Report{Sends: 3, Acked: 3, Stored: 3, Sessions: 4, Deliveries: 6}
	report.Counts, report.Rooms, report.Examples = nil, nil, nil
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("the totals of the report (-want +got):\n%s", diff)
	}
}

// TestClientResumes breaks connections while messages flow: after each loss the client is on the other gateway, and
// has everything.
func TestClientResumes(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a, b := r.client("alice", []int64{room}), r.client("bob", []int64{room})
	const losses = 6
	for range losses {
		before := b.Counts().Connects
		b.Cut()
		r.fill(a, room, 20)
		head := r.head("alice", room)
		r.must(b.AwaitSeq(r.ctx, room, head))
		r.must(b.AwaitLive(r.ctx))
		if got := b.Counts().Connects; got != before+1 {
			t.Errorf("%d connections after a cut, want %d", got, before+1)
		}
	}
	r.must(a.AwaitSeq(r.ctx, room, losses*20))
	r.check("alice")
	recoveries := r.history.Recoveries()
	if len(recoveries) != losses {
		t.Fatalf("%d recoveries, want %d", len(recoveries), losses)
	}
	for _, back := range recoveries {
		if back.User != "bob" || back.From == back.To || back.Took() <= 0 || back.CaughtUp < back.Live {
			t.Errorf("recovery %+v; want bob's, on the other gateway, with times in order", back)
		}
	}
	if got := r.history.Closes()[0]; got != losses {
		t.Errorf("%d connections broke, want %d", got, losses)
	}
}

// TestClientSurvivesARestart stops the whole system with messages under way and starts it again on the same ports.
func TestClientSurvivesARestart(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a, b := r.client("alice", []int64{room}), r.client("bob", []int64{room})
	r.fill(a, room, 50)
	sent := make(chan error, 1)
	r.stop()
	go func() {
		_, err := a.Send(r.ctx, room, "sent while nobody was there")
		sent <- err
	}()
	r.start()
	r.must(<-sent)
	for _, c := range []*faults.Client{a, b} {
		r.must(c.AwaitSeq(r.ctx, room, 51))
		r.must(c.AwaitLive(r.ctx))
		// Who comes back to a gateway that is just stopping has a 1012 without a DRAIN.
		if counts := c.Counts(); counts.Drains == 0 || counts.Closes[1012] < counts.Drains {
			t.Errorf("%s counted %d DRAIN events and closes %v; want a 1012 after each", c.User(), counts.Drains, counts.Closes)
		}
	}
	r.check("alice")
	for _, back := range r.history.Recoveries() {
		if back.Code != 1012 {
			t.Errorf("recovery %+v, want one after a close with code 1012", back)
		}
	}
}

// TestClientPagesThroughAGap follows a room from its beginning that has more than a resume replays.
func TestClientPagesThroughAGap(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	head := r.fill(r.client("alice", nil), room, 1010)
	b := r.client("bob", []int64{room})
	r.must(b.AwaitSeq(r.ctx, room, head))
	if got := b.Counts(); got.Gaps != 1 || int64(got.Events) != head {
		t.Errorf("%d GAP events and %d events, want 1 and %d", got.Gaps, got.Events, head)
	}
	report := r.check("alice")
	if int64(report.Deliveries) != head {
		t.Errorf("%d deliveries in the history, want %d", report.Deliveries, head)
	}
}

func TestClientFollowsFromNow(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a := r.client("alice", nil)
	r.fill(a, room, 5)
	b := r.client("bob", []int64{room}, func(cfg *faults.ClientConfig) { cfg.FromNow = true })
	r.send(a, room, "news")
	r.must(b.AwaitSeq(r.ctx, room, 6))
	if got := b.Counts().Events; got != 1 {
		t.Errorf("%d events, want only the news", got)
	}
	r.check("alice")
}

// TestSlowClient stops reading until the gateway gives it up, and has everything once it reads again.
func TestSlowClient(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a := r.client("alice", nil)
	b := r.client("bob", []int64{room}, func(cfg *faults.ClientConfig) { cfg.ReceiveBuffer = 4 << 10 })
	b.Pause()
	head := r.fillWith(a, room, 400, strings.Repeat("x", 16<<10)) // more than the kernel and the send queue hold
	b.Resume()
	r.must(b.AwaitSeq(r.ctx, room, head))
	r.must(b.AwaitLive(r.ctx))
	if got := b.Counts().Connects; got < 2 {
		t.Errorf("%d connections, want another one after the gateway gave the first one up", got)
	}
	r.check("alice")
}

// TestSendCopies sends each message three times at once through two gateways.
func TestSendCopies(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	left, right := r.client("alice", nil, pinned(0)), r.client("alice", nil, pinned(1))
	b := r.client("bob", []int64{room})
	const messages = 20
	for range messages {
		receipts, err := faults.SendCopies(r.ctx, room, "once", left, right, left)
		r.must(err)
		for _, receipt := range receipts {
			if receipt.MessageID != receipts[0].MessageID || receipt.Seq != receipts[0].Seq {
				t.Errorf("receipts of one message = %+v", receipts)
			}
		}
	}
	r.must(b.AwaitSeq(r.ctx, room, messages))
	report := r.check("alice")
	if report.Acked != 3*messages || report.Stored != messages || report.Deliveries != messages {
		t.Errorf("%s\nwant %d RECEIPTs for %d rows, delivered once", report, 3*messages, messages)
	}
}

// TestCycles unsubscribes and subscribes while messages flow, with a loss in between.
func TestCycles(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a, b := r.client("alice", nil), r.client("bob", []int64{room})
	cycled := make(chan error, 1)
	go func() { cycled <- b.Cycle(r.ctx, room, 60) }()
	r.fill(a, room, 100)
	b.Cut()
	head := r.fill(a, room, 100)
	r.must(<-cycled)
	r.must(b.AwaitSeq(r.ctx, room, head))
	r.check("alice")
}

// TestMembership has a stranger refused, and a member removed and invited again.
func TestMembership(t *testing.T) {
	r := newRig(t)
	room := r.room("alice", "bob")
	a, b := r.client("alice", []int64{room}), r.client("bob", []int64{room})
	mallory := r.client("mallory", []int64{room})
	var refused *faults.RefusedError
	if _, err := mallory.Send(r.ctx, room, "let me in"); !errors.As(err, &refused) || refused.Code != "FORBIDDEN" {
		t.Errorf("a stranger's Send = %v, want FORBIDDEN", err)
	}
	if got := mallory.Counts(); got.Events != 0 || got.Errors["FORBIDDEN"] != 2 {
		t.Errorf("a stranger received %d events and the errors %v", got.Events, got.Errors)
	}

	r.send(a, room, "for both")
	asked := r.history.Now()
	r.must(r.api("alice").RemoveMember(r.ctx, room, "bob"))
	r.history.NoMember(room, "bob", asked)
	r.must(b.AwaitOut(r.ctx, room))
	r.send(a, room, "about bob")
	asked = r.history.Now()
	r.must(r.api("alice").AddMembers(r.ctx, room, "bob"))
	r.history.Member(room, "bob", asked)
	r.must(a.AwaitSeq(r.ctx, room, 4))
	report := r.check("alice")
	if report.Failed != 1 || report.Stored != 4 || report.Deliveries != 6 {
		t.Errorf("%s\nwant 1 refused, 4 rows, and 6 deliveries: all to alice, two to bob", report)
	}
}

func TestLeaving(t *testing.T) {
	r := newRig(t)
	room, other := r.room("alice", "bob"), r.room("alice", "bob")
	a, b := r.client("alice", nil), r.client("bob", []int64{room})
	r.send(a, room, "1")
	r.must(b.AwaitSeq(r.ctx, room, 1))
	r.must(b.Unfollow(r.ctx, room))
	r.send(a, room, "2")
	r.must(b.Follow(room))
	r.must(b.AwaitSeq(r.ctx, room, 2))
	r.must(b.Follow(other))
	r.send(a, other, "1")
	r.must(b.AwaitSeq(r.ctx, other, 1))
	b.Leave()
	r.send(a, room, "3")
	r.send(a, other, "2")
	report := r.check("alice")
	if report.Sessions != 3 || report.Deliveries != 3 {
		t.Errorf("%s\nwant 3 sessions with one delivery each", report)
	}
}

// TestRunEnds has Run give up where coming again is of no use.
func TestRunEnds(t *testing.T) {
	r := newRig(t)
	c := faults.NewClient(faults.ClientConfig{
		User: "alice", Token: func() string { return "no token" }, Gateways: r.gateways(), History: r.history,
	})
	if err := c.Run(r.ctx); err == nil || !strings.Contains(err.Error(), "UNAUTHENTICATED") {
		t.Errorf("Run with a bad token = %v, want an error that says so", err)
	}
}
