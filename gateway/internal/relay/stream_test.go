package relay_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// errCrash is how a double's stream breaks.
var errCrash = status.Error(codes.Unavailable, "crash")

// swallow reads n commands of a stream and answers none.
func swallow(s stream, n int) error {
	for n > 0 {
		request, err := s.Recv()
		if err != nil {
			return err
		}
		n -= len(request.GetCommands())
	}
	return nil
}

// A command that a broken stream left without an answer is sent again only if it can do no harm.
func TestStreamBreak(t *testing.T) {
	t.Parallel()
	json := func(body string) action.Action { return say(1, body) }
	typed := func(contentType, body string) action.Action {
		return action.Action{Verb: action.Send, Room: 1, ContentType: contentType, Body: []byte(body)}
	}
	edit := func(body string) action.Action { return action.Action{Verb: action.Edit, Room: 1, Body: []byte(body)} }
	tests := []struct {
		name    string
		actions []action.Action
		again   bool
	}{
		{"message with clientMessageId", []action.Action{json(`{"clientMessageId":"a","content":"x"}`)}, true},
		{"with a charset", []action.Action{typed("application/json;charset=utf-8", `{"clientMessageId":"a"}`)}, true},
		{"without content type", []action.Action{typed("", `{"clientMessageId":"a"}`)}, true},
		{"read mark", []action.Action{{Verb: action.Read, Room: 1}}, true},
		{"typing", []action.Action{{Verb: action.Typing, Room: 1}}, true},
		{"delivered mark", []action.Action{{Verb: action.Delivered, Room: 1, Body: []byte(`{"seq":7}`)}}, true},
		{"recall", []action.Action{{Verb: action.Recall, Room: 1, Body: []byte(`{"seq":7}`)}}, true},
		{"edit with clientMessageId", []action.Action{edit(`{"seq":7,"content":"x","clientMessageId":"a"}`)}, true},
		{"edit without", []action.Action{edit(`{"seq":7,"content":"x"}`)}, false},
		{"transaction of such", []action.Action{json(`{"clientMessageId":"a"}`), {Verb: action.Read, Room: 1}}, true},
		{"message without", []action.Action{json(`{"content":"x"}`)}, false},
		{"empty id", []action.Action{json(`{"clientMessageId":""}`)}, false},
		{"null id", []action.Action{json(`{"clientMessageId":null}`)}, false},
		{"id is a number", []action.Action{json(`{"clientMessageId":7}`)}, false},
		{"id in a deeper object", []action.Action{json(`{"attachment":{"clientMessageId":"a"}}`)}, false},
		{"another spelling beside it", []action.Action{json(`{"clientMessageId":"a","CLIENTMESSAGEID":""}`)}, false},
		{"two ids, the last one empty", []action.Action{json(`{"clientMessageId":"a","clientMessageId":""}`)}, false},
		{"no JSON", []action.Action{json(`{"clientMessageId":"a"`)}, false},
		{"text", []action.Action{typed("text/plain", `{"clientMessageId":"a"}`)}, false},
		{"broken content type", []action.Action{typed(";", `{"clientMessageId":"a"}`)}, false},
		{"unknown verb", []action.Action{{Verb: 99, Room: 1}}, false},
		{"transaction with one without", []action.Action{json(`{"clientMessageId":"a"}`), json(`{}`)}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var streams atomic.Int32
			r := newRig(t, &double{relay: func(s stream) error {
				if streams.Add(1) == 1 {
					if err := swallow(s, 1); err != nil {
						return err
					}
					return errCrash
				}
				return answering(storeAll)(s)
			}}, relay.Options{Timeout: patience})
			got := wait(t, submit(t, r.relay, test.actions...), "the outcome")
			if test.again {
				if got.err != nil || len(got.stored) != len(test.actions) {
					t.Errorf("ended with %+v, want the answer of the second stream", got)
				}
				return
			}
			refused := refusal(t, got)
			if refused.Code != event.Unavailable || !strings.Contains(refused.Message, "clientMessageId") {
				t.Errorf("refused with %v, want UNAVAILABLE and how to send again", refused)
			}
		})
	}
}

// Commands sent again keep their order and go before those that came later.
func TestOrderAfterBreak(t *testing.T) {
	t.Parallel()
	var streams atomic.Int32
	broken := make(chan struct{})
	arrived := make(chan string, 100)
	r := newRig(t, &double{relay: func(s stream) error {
		if streams.Add(1) == 1 {
			if err := swallow(s, 5); err != nil {
				return err
			}
			<-broken
			return errCrash
		}
		return answering(func(c *chatv1.RelayCommand) *chatv1.RelayResult {
			arrived <- string(c.GetActions()[0].GetBody())
			return storeAll(c)
		})(s)
	}}, relay.Options{Timeout: patience})

	before := []action.Action{
		named(1, "a"), anonymous(1, "b"), named(1, "c"), anonymous(1, "d"), named(1, "e"),
	}
	var answers []<-chan outcome
	for _, a := range before {
		answers = append(answers, submit(t, r.relay, a))
	}
	close(broken)
	lost := refusal(t, wait(t, answers[1], "the end of the anonymous message"))
	if lost.Code != event.Unavailable {
		t.Errorf("the anonymous message ended with %v, want UNAVAILABLE", lost)
	}
	later := submit(t, r.relay, named(1, "f"))
	for i, answer := range append(answers, later) {
		if i == 1 {
			continue
		}
		got := wait(t, answer, "an outcome")
		if anonymous := i == 3; anonymous != (got.err != nil) {
			t.Errorf("command %d ended with %+v", i, got)
		}
	}
	want := []string{string(before[0].Body), string(before[2].Body), string(before[4].Body), string(named(1, "f").Body)}
	var got []string
	for range want {
		got = append(got, wait(t, arrived, "a command on the second stream"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands of the second stream (-want +got):\n%s", diff)
	}
}

// A command that kills whoever reads it is given up after three sends, and others go on.
func TestPoison(t *testing.T) {
	t.Parallel()
	var reads atomic.Int32
	r := newRig(t, &double{relay: func(s stream) error {
		for {
			request, err := s.Recv()
			if err != nil {
				return err
			}
			response := &chatv1.RelayResponse{}
			for _, c := range request.GetCommands() {
				if strings.Contains(string(c.GetActions()[0].GetBody()), "poison") {
					reads.Add(1)
					return errCrash
				}
				response.Results = append(response.Results, storeAll(c))
			}
			if err := s.Send(response); err != nil {
				return err
			}
		}
	}}, relay.Options{Timeout: patience})
	if got := refusal(t, wait(t, submit(t, r.relay, named(1, "poison")), "the end")); got.Code != event.Unavailable {
		t.Errorf("refused with %v, want UNAVAILABLE", got)
	}
	if n := reads.Load(); n != 3 {
		t.Errorf("it was sent %d times, want 3", n)
	}
	if got := wait(t, submit(t, r.relay, named(1, "good")), "the next answer"); got.err != nil {
		t.Errorf("the next command: %v", got.err)
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	service := &double{relay: answering(storeAll)}
	r := newRig(t, service, relay.Options{Timeout: patience})
	if got := wait(t, submit(t, r.relay, anonymous(1, "before")), "the first answer"); got.err != nil {
		t.Fatalf("before: %v", got.err)
	}
	if err := r.relay.Ready(); err != nil {
		t.Errorf("Ready while the service is there = %v", err)
	}
	r.host.kill()
	eventually(t, "Ready reports the loss", func() bool { return r.relay.Ready() != nil })
	// Nothing of this was ever sent, so even a message without clientMessageId simply waits.
	answer := submit(t, r.relay, anonymous(1, "while away"))
	r.host.start(t, service)
	if got := wait(t, answer, "the answer after the restart"); got.err != nil {
		t.Errorf("while away: %v", got.err)
	}
	eventually(t, "Ready", func() bool { return r.relay.Ready() == nil })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s in vain for: %s", patience, what)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, relay.Options{Timeout: 100 * time.Millisecond})
	if r.relay.Ready() == nil {
		t.Error("Ready without a chat service = nil")
	}
	got := refusal(t, wait(t, submit(t, r.relay, named(1, "a")), "the refusal"))
	if got.Code != event.Unavailable || got.RetryAfter <= 0 || !strings.Contains(got.Message, "nothing was stored") {
		t.Errorf("refused with %+v, want UNAVAILABLE, nothing stored, and when to try again", got)
	}
}

// A service that reads and does not answer: the command ends in time, the stream is given up for another one, and an
// answer that comes too late does no harm.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	var streams atomic.Int32
	ids := make(chan uint64, 1)
	late := make(chan struct{})
	r := newRig(t, &double{relay: func(s stream) error {
		if streams.Add(1) == 1 {
			request, err := s.Recv()
			if err != nil {
				return err
			}
			ids <- request.GetCommands()[0].GetId()
			return silent(s)
		}
		<-late
		answer := &chatv1.RelayResponse{Results: []*chatv1.RelayResult{{Id: <-ids}, {Id: 1 << 60}, {Id: 0}}}
		if err := s.Send(answer); err != nil {
			return err
		}
		return answering(storeAll)(s)
	}}, relay.Options{Timeout: 200 * time.Millisecond})
	got := refusal(t, wait(t, submit(t, r.relay, anonymous(1, "x")), "the refusal"))
	if got.Code != event.Unavailable || !strings.Contains(got.Message, "not known") {
		t.Errorf("refused with %v, want UNAVAILABLE, not known whether stored", got)
	}
	eventually(t, "a second stream", func() bool { return streams.Load() >= 2 })
	close(late)
	eventually(t, "answers again", func() bool {
		return wait(t, submit(t, r.relay, named(1, "y")), "an outcome").err == nil
	})
}

// A stream that only one replica leaves unanswered moves to the next replica in time to save the command.
func TestStalledStreamMoves(t *testing.T) {
	t.Parallel()
	var streams atomic.Int32
	r := newRig(t, &double{relay: func(s stream) error {
		if streams.Add(1) == 1 {
			return silent(s)
		}
		return answering(storeAll)(s)
	}}, relay.Options{Timeout: 2 * time.Second})
	if got := wait(t, submit(t, r.relay, named(1, "a")), "the outcome"); got.err != nil {
		t.Errorf("ended with %v, want the answer of the second stream", got.err)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	t.Run("waits for answers that are to come", func(t *testing.T) {
		t.Parallel()
		stopping := make(chan struct{})
		read := make(chan struct{}, 1)
		h := &host{}
		h.start(t, &double{relay: answering(func(c *chatv1.RelayCommand) *chatv1.RelayResult {
			select {
			case read <- struct{}{}:
			default:
			}
			<-stopping
			return storeAll(c)
		})})
		r := newRelay(t, h, relay.Options{Linger: patience, Timeout: patience})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		answer := submit(t, r, anonymous(1, "x"))
		wait(t, read, "the command")
		cancel()
		var refused atomic.Bool
		eventually(t, "refusal of what comes now", func() bool {
			r.Submit("bob", []action.Action{named(9, "late")}, func(_ []action.Stored, err error) {
				if err != nil && strings.Contains(err.Error(), "stopping") {
					refused.Store(true)
				}
			})
			return refused.Load()
		})
		close(stopping)
		if got := wait(t, answer, "the answer"); got.err != nil {
			t.Errorf("ended with %v, want the answer", got.err)
		}
		if err := wait(t, ended, "Run"); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("ends the rest", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &double{relay: silent}, relay.Options{Linger: 10 * time.Millisecond, Timeout: time.Hour, Streams: 3})
		var answers []<-chan outcome
		for i := range 100 {
			answers = append(answers, submit(t, r.relay, named(int64(i+1), strconv.Itoa(i))))
		}
		r.stop()
		answers = append(answers, submit(t, r.relay, named(1, "too late")))
		for _, answer := range answers {
			if got := refusal(t, wait(t, answer, "an outcome")); got.Code != event.Unavailable {
				t.Errorf("refused with %v, want UNAVAILABLE", got)
			}
		}
		if r.relay.Ready() == nil {
			t.Error("Ready after Run = nil")
		}
	})
}

// ledger stores like the chat service: by clientMessageId once, in the order of arrival.
type ledger struct {
	mu    sync.Mutex
	first map[string]int64
	rooms map[int64][]string
}

func (l *ledger) store(a *chatv1.Action) *chatv1.Stored {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := string(a.GetBody())
	seq, duplicate := l.first[id]
	if !duplicate {
		l.rooms[a.GetChatRoomId()] = append(l.rooms[a.GetChatRoomId()], id)
		seq = int64(len(l.rooms[a.GetChatRoomId()]))
		l.first[id] = seq
	}
	return &chatv1.Stored{MessageId: id, Seq: seq, Duplicate: duplicate}
}

// flaky stores everything it reads, loses a part of the answers and breaks the stream every now and then.
func (l *ledger) flaky(s stream) error {
	for {
		request, err := s.Recv()
		if err != nil {
			return err
		}
		response := &chatv1.RelayResponse{}
		for _, c := range request.GetCommands() {
			response.Results = append(response.Results, &chatv1.RelayResult{
				Id: c.GetId(), Stored: []*chatv1.Stored{l.store(c.GetActions()[0])},
			})
		}
		rand.Shuffle(len(response.Results), func(i, j int) {
			response.Results[i], response.Results[j] = response.Results[j], response.Results[i]
		})
		if rand.IntN(20) == 0 { // break, with a part of the answers given
			response.Results = response.Results[:rand.IntN(len(response.Results)+1)]
			_ = s.Send(response)
			return errCrash
		}
		if err := s.Send(response); err != nil {
			return err
		}
	}
}

// Whatever breaks: one outcome per command, what is answered is stored once, and in the order of the calls.
func TestFlakyService(t *testing.T) {
	t.Parallel()
	const rooms, each = 6, 400
	book := &ledger{first: map[string]int64{}, rooms: map[int64][]string{}}
	r := newRig(t, &double{relay: book.flaky}, relay.Options{Streams: 2, Timeout: patience})
	var users sync.WaitGroup
	acked := make([]map[string]int64, rooms+1)
	for room := int64(1); room <= rooms; room++ {
		acked[room] = map[string]int64{}
		users.Go(func() {
			var answers []<-chan outcome
			for i := range each {
				answers = append(answers, submit(t, r.relay, named(room, fmt.Sprintf("%d-%04d", room, i))))
				if i%10 == 9 { // let batches end, so that there are many
					<-answers[len(answers)-1]
					answers = answers[:len(answers)-1]
				}
			}
			for _, answer := range answers {
				if got := <-answer; got.err == nil {
					acked[room][got.stored[0].MessageID] = got.stored[0].Seq
				}
			}
		})
	}
	users.Wait()
	for room := int64(1); room <= rooms; room++ {
		if !slices.IsSorted(book.rooms[room]) {
			t.Errorf("room %d was stored out of order: %v", room, book.rooms[room])
		}
		for id, seq := range acked[room] {
			if book.first[id] != seq {
				t.Errorf("room %d: %s was answered with seq %d and is stored at %d", room, id, seq, book.first[id])
			}
		}
		if len(acked[room]) == 0 {
			t.Errorf("room %d: nothing was answered", room)
		}
	}
}
