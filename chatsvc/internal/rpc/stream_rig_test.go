package rpc_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// line is an open relay stream. Its results come in as they like; result waits for the one of a command.
type line struct {
	tb      testing.TB
	stream  grpc.BidiStreamingClient[chatv1.RelayRequest, chatv1.RelayResponse]
	results chan *chatv1.RelayResult
	ended   chan error
	early   map[uint64]*chatv1.RelayResult
	next    uint64
}

func (r *rig) line() *line {
	r.tb.Helper()
	stream, err := r.relay.Relay(r.ctx())
	if err != nil {
		r.tb.Fatalf("open relay stream: %v", err)
	}
	l := &line{
		tb: r.tb, stream: stream, results: make(chan *chatv1.RelayResult, 100_000), ended: make(chan error, 1),
		early: map[uint64]*chatv1.RelayResult{},
	}
	go func() {
		for {
			response, err := stream.Recv()
			if err != nil {
				l.ended <- err
				return
			}
			for _, result := range response.GetResults() {
				l.results <- result
			}
		}
	}()
	return l
}

// send sends one command of a user and returns its id.
func (l *line) send(user string, actions ...*chatv1.Action) uint64 {
	l.tb.Helper()
	l.next++
	l.sendAll(&chatv1.RelayCommand{Id: l.next, UserId: user, Actions: actions})
	return l.next
}

func (l *line) sendAll(commands ...*chatv1.RelayCommand) {
	l.tb.Helper()
	if err := l.stream.Send(&chatv1.RelayRequest{Commands: commands}); err != nil {
		l.tb.Fatalf("send on the relay stream: %v", err)
	}
}

func (l *line) result(id uint64) *chatv1.RelayResult {
	l.tb.Helper()
	deadline := time.After(patience)
	for l.early[id] == nil {
		select {
		case result := <-l.results:
			if l.early[result.GetId()] != nil {
				l.tb.Fatalf("command %d is answered twice", result.GetId())
			}
			l.early[result.GetId()] = result
		case err := <-l.ended:
			l.tb.Fatalf("the stream ended while command %d waits: %v", id, err)
		case <-deadline:
			l.tb.Fatalf("no result of command %d within %s", id, patience)
		}
	}
	return l.early[id]
}

// stored is the outcome of a command that must have taken effect.
func (l *line) stored(id uint64) []*chatv1.Stored {
	l.tb.Helper()
	result := l.result(id)
	if result.GetRefusal() != nil {
		l.tb.Fatalf("command %d is refused: %v", id, result.GetRefusal())
	}
	return result.GetStored()
}

// refused is why a command had no effect, which it must not have had.
func (l *line) refused(id uint64) *chatv1.Refusal {
	l.tb.Helper()
	result := l.result(id)
	if result.GetRefusal() == nil || len(result.GetStored()) > 0 {
		l.tb.Fatalf("command %d has the result %v, want a refusal", id, result)
	}
	return result.GetRefusal()
}

func say(room int64, body string) *chatv1.Action {
	return &chatv1.Action{
		Verb: chatv1.Verb_VERB_SEND, ChatRoomId: room, ContentType: "application/json", Body: []byte(body),
	}
}

func plain(room int64, content string) *chatv1.Action {
	return &chatv1.Action{Verb: chatv1.Verb_VERB_SEND, ChatRoomId: room, ContentType: "text/plain", Body: []byte(content)}
}

func read(room int64, body string) *chatv1.Action {
	return &chatv1.Action{Verb: chatv1.Verb_VERB_READ, ChatRoomId: room, Body: []byte(body)}
}

func typing(room int64) *chatv1.Action {
	return &chatv1.Action{Verb: chatv1.Verb_VERB_TYPING, ChatRoomId: room, Body: []byte("whatever")}
}

// has fails the test unless a text has all parts.
func has(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			tb.Errorf("%q has no %q", text, part)
		}
	}
}
