package relay_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/relay"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	text := action.Action{Verb: action.Send, Room: 42, ContentType: "text/plain", Body: []byte("你好")}
	tests := []struct {
		name    string
		actions []action.Action
		result  *chatv1.RelayResult
		stored  []action.Stored
		code    event.Code
		refused *event.Error
	}{
		{
			name: "stored", actions: []action.Action{text},
			result: &chatv1.RelayResult{Stored: []*chatv1.Stored{{MessageId: "42-7", Seq: 7}}},
			stored: []action.Stored{{MessageID: "42-7", Seq: 7}},
		},
		{
			name: "stored before", actions: []action.Action{text},
			result: &chatv1.RelayResult{Stored: []*chatv1.Stored{{MessageId: "42-1", Seq: 1, Duplicate: true}}},
			stored: []action.Stored{{MessageID: "42-1", Seq: 1, Duplicate: true}},
		},
		{
			name:    "transaction",
			actions: []action.Action{text, {Verb: action.Typing, Room: 42}, {Verb: action.Read, Room: 43}},
			result:  &chatv1.RelayResult{Stored: []*chatv1.Stored{{MessageId: "42-7", Seq: 7}, {}, {}}},
			stored:  []action.Stored{{MessageID: "42-7", Seq: 7}, {}, {}},
		},
		{
			name: "edit, recall, delivered",
			actions: []action.Action{
				{Verb: action.Edit, Room: 42, Body: []byte(`{"seq":1,"content":"x"}`)},
				{Verb: action.Recall, Room: 42, Body: []byte(`{"seq":1}`)},
				{Verb: action.Delivered, Room: 42, Body: []byte(`{"seq":7}`)},
			},
			result: &chatv1.RelayResult{Stored: []*chatv1.Stored{
				{MessageId: "42-7", Seq: 7}, {MessageId: "42-8", Seq: 8}, {},
			}},
			stored: []action.Stored{{MessageID: "42-7", Seq: 7}, {MessageID: "42-8", Seq: 8}, {}},
		},
		{
			name:    "refused",
			actions: []action.Action{{Verb: action.Send, Room: 42, Body: []byte("hi"), HoldOff: 250 * time.Millisecond}},
			result: &chatv1.RelayResult{Refusal: &chatv1.Refusal{
				Reason: chatv1.Reason_REASON_RATE_LIMITED, Message: "slow down", ClientMessageId: "c1", RetryAfterMs: 250,
			}},
			refused: &event.Error{
				Code: event.RateLimited, Message: "slow down", ClientMessageID: "c1", RetryAfter: 250 * time.Millisecond,
			},
		},
		{
			name: "outcomes do not fit", actions: []action.Action{text, text},
			result: &chatv1.RelayResult{Stored: []*chatv1.Stored{{MessageId: "42-7", Seq: 7}}},
			code:   event.Internal,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			commands := make(chan *chatv1.RelayCommand, 1)
			r := newRig(t, &double{relay: answering(func(c *chatv1.RelayCommand) *chatv1.RelayResult {
				commands <- c
				test.result.Id = c.GetId()
				return test.result
			})}, relay.Options{})

			got := wait(t, submit(t, r.relay, test.actions...), "the answer")
			switch {
			case test.refused != nil:
				if diff := cmp.Diff(test.refused, refusal(t, got)); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
			case test.code != "":
				if refused := refusal(t, got); refused.Code != test.code {
					t.Errorf("refused with %v, want code %s", refused, test.code)
				}
			default:
				if diff := cmp.Diff(outcome{stored: test.stored}, got, cmp.AllowUnexported(outcome{})); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
			}
			checkCommand(t, wait(t, commands, "the command"), test.actions)
		})
	}
}

func checkCommand(t *testing.T, c *chatv1.RelayCommand, want []action.Action) {
	t.Helper()
	if c.GetUserId() != "alice" {
		t.Errorf("command acts as %q, want alice", c.GetUserId())
	}
	verbs := map[chatv1.Verb]action.Verb{
		chatv1.Verb_VERB_SEND: action.Send, chatv1.Verb_VERB_READ: action.Read, chatv1.Verb_VERB_TYPING: action.Typing,
		chatv1.Verb_VERB_EDIT: action.Edit, chatv1.Verb_VERB_RECALL: action.Recall,
		chatv1.Verb_VERB_DELIVERED: action.Delivered,
	}
	var got []action.Action
	for _, a := range c.GetActions() {
		got = append(got, action.Action{
			Verb: verbs[a.GetVerb()], Room: a.GetChatRoomId(), ContentType: a.GetContentType(), Body: a.GetBody(),
			HoldOff: time.Duration(a.GetHoldOffMs()) * time.Millisecond,
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions on the wire (-want +got):\n%s", diff)
	}
}

// The answers come in any order; the commands of each room leave in the order of the Submit calls.
func TestOrderAndMatching(t *testing.T) {
	t.Parallel()
	const rooms, each = 8, 500
	for _, streams := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d streams", streams), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := map[int64][]string{}
			backwards := func(s stream) error {
				for {
					request, err := s.Recv()
					if err != nil {
						return err
					}
					response := &chatv1.RelayResponse{}
					for _, c := range request.GetCommands() {
						a := c.GetActions()[0]
						mu.Lock()
						seen[a.GetChatRoomId()] = append(seen[a.GetChatRoomId()], string(a.GetBody()))
						mu.Unlock()
						response.Results = append(response.Results, &chatv1.RelayResult{
							Id: c.GetId(), Stored: []*chatv1.Stored{{MessageId: string(a.GetBody())}},
						})
					}
					slices.Reverse(response.Results)
					if err := s.Send(response); err != nil {
						return err
					}
				}
			}
			r := newRig(t, &double{relay: backwards}, relay.Options{Streams: streams, Timeout: patience})
			var users sync.WaitGroup
			for room := int64(1); room <= rooms; room++ {
				users.Go(func() {
					var answers []<-chan outcome
					for i := range each {
						answers = append(answers, submit(t, r.relay, say(room, strconv.Itoa(i))))
					}
					for i, answer := range answers {
						got := <-answer
						if got.err != nil || len(got.stored) != 1 || got.stored[0].MessageID != strconv.Itoa(i) {
							t.Errorf("room %d: command %d was answered with %+v", room, i, got)
							return
						}
					}
				})
			}
			users.Wait()
			for room, bodies := range seen {
				for i, body := range bodies {
					if body != strconv.Itoa(i) {
						t.Fatalf("room %d: command %s arrived in place %d", room, body, i)
					}
				}
			}
		})
	}
}

// What waits goes out together, up to the limits of a request.
func TestBatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		commands int
		body     int // bytes
		want     []int
	}{
		{"by number", 600, 10, []int{256, 256, 88}},
		{"by size", 10, 60 << 10, []int{4, 4, 2}},
		{"one that is over the size travels alone", 2, 300 << 10, []int{1, 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var requests []int
			h := &host{}
			h.start(t, &double{relay: func(s stream) error {
				for {
					request, err := s.Recv()
					if err != nil {
						return err
					}
					requests = append(requests, len(request.GetCommands()))
					response := &chatv1.RelayResponse{}
					for _, c := range request.GetCommands() {
						response.Results = append(response.Results, storeAll(c))
					}
					if err := s.Send(response); err != nil {
						return err
					}
				}
			}})
			r := newRelay(t, h, relay.Options{Timeout: patience})
			var answers []<-chan outcome
			for range test.commands {
				answers = append(answers, submit(t, r, say(1, strings.Repeat("x", test.body))))
			}
			run(t, r)
			for _, answer := range answers {
				if got := wait(t, answer, "an answer"); got.err != nil {
					t.Fatalf("refused: %v", got.err)
				}
			}
			if diff := cmp.Diff(test.want, requests); diff != "" {
				t.Errorf("commands per request (-want +got):\n%s", diff)
			}
		})
	}
}

// A lane that is full refuses at once, and not from within Submit: the caller may hold a lock that done wants.
func TestFull(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts relay.Options
		fits int
	}{
		{"by number", relay.Options{QueueCommands: 4}, 4},
		{"by size", relay.Options{QueueBytes: 4096}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.opts.Timeout = time.Hour
			test.opts.Linger = time.Millisecond
			r := newRig(t, &double{relay: silent}, test.opts)
			var held []<-chan outcome
			for range test.fits {
				held = append(held, submit(t, r.relay, say(1, strings.Repeat("x", 1000))))
			}
			var callers sync.Mutex
			refused := make(chan error, 1)
			callers.Lock()
			r.relay.Submit("alice", []action.Action{say(1, strings.Repeat("x", 1000))}, func(_ []action.Stored, err error) {
				callers.Lock()
				defer callers.Unlock()
				refused <- err
			})
			callers.Unlock()
			got := refusal(t, outcome{err: wait(t, refused, "the refusal")})
			if got.Code != event.Unavailable || got.RetryAfter <= 0 {
				t.Errorf("refused with %+v, want UNAVAILABLE and when to try again", got)
			}
			for i, answer := range held {
				select {
				case o := <-answer:
					t.Errorf("command %d, which had room, ended with %+v", i, o)
				default:
				}
			}
			r.stop()
			for _, answer := range held {
				if got := refusal(t, wait(t, answer, "the end of what was held")); got.Code != event.Unavailable {
					t.Errorf("ended with %v, want UNAVAILABLE", got)
				}
			}
		})
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	r := newRig(t, &double{relay: silent}, relay.Options{})
	if got := wait(t, submit(t, r.relay), "the answer"); got.err != nil || len(got.stored) != 0 {
		t.Errorf("no actions ended with %+v, want nothing", got)
	}
}

// What protobuf could not carry must not break the stream of everyone.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	r := newRig(t, &double{relay: answering(storeAll)}, relay.Options{})
	bad := action.Action{Verb: action.Send, Room: 1, ContentType: "text/\xff", Body: []byte("\xff\x00")}
	if got := wait(t, submit(t, r.relay, bad), "the answer"); got.err != nil {
		t.Errorf("refused: %v", got.err)
	}
}

// gauge is an Adder to look at.
type gauge struct{ sum atomic.Int64 }

func (g *gauge) Add(n float64) { g.sum.Add(int64(n)) }

func TestCounts(t *testing.T) {
	t.Parallel()
	var commands, inFlight gauge
	answer := make(chan struct{})
	r := newRig(t, &double{relay: answering(func(c *chatv1.RelayCommand) *chatv1.RelayResult {
		<-answer
		return storeAll(c)
	})}, relay.Options{Commands: &commands, InFlight: &inFlight, Timeout: patience})
	var answers []<-chan outcome
	for i := range 5 {
		answers = append(answers, submit(t, r.relay, say(1, strconv.Itoa(i))))
	}
	if got := inFlight.sum.Load(); got != 5 {
		t.Errorf("in flight: %d, want 5", got)
	}
	close(answer)
	for _, a := range answers {
		wait(t, a, "an answer")
	}
	if got := inFlight.sum.Load(); got != 0 {
		t.Errorf("in flight after all answers: %d, want 0", got)
	}
	r.stop()
	if got := commands.sum.Load(); got != 5 {
		t.Errorf("commands counted: %d, want 5", got)
	}
}
