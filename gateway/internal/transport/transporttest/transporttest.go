// Package transporttest is the conformance suite of transports: what a session may count on, whichever transport is
// under it. The tests of each transport call Exercise; nothing else uses it.
package transporttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// patience is how long the suite waits for what must happen; it judges no speed.
const patience = 20 * time.Second

// Conn is the server's end, as sessions use it (session.Conn).
type Conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, messages [][]byte) error
	Close(code transport.CloseCode, reason string) error
}

// Peer is the client's end.
type Peer interface {
	// Send sends one message.
	Send(message []byte) error
	// Receive waits for the next message; after a close by either side it returns a *transport.ClosedError.
	Receive() ([]byte, error)
	// Close closes with a code and a reason, and returns when the server has answered.
	Close(code transport.CloseCode, reason string) error
	// Cut ends the connection without a word.
	Cut()
}

// Features are the honest differences between transports.
type Features struct {
	MaxMessage       int  // the largest message of a client; larger ones end with CloseTooLarge
	ClientCloseCodes bool // the server learns the code and reason that the client closed with
	Binary           bool // messages need not be UTF-8
}

// Open makes a fresh connection and returns both ends; it cleans up after the test.
type Open func(t *testing.T) (Conn, Peer)

// Exercise runs the suite.
func Exercise(t *testing.T, features Features, open Open) {
	s := &suite{features: features, open: open}
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, conn Conn, peer Peer)
	}{
		{"echo keeps order and bytes", s.echo},
		{"big messages both ways", s.big},
		{"too big a message", s.tooBig},
		{"one write, many messages", s.batch},
		{"nothing to write", s.nothing},
		{"written slices may be used again", s.reuse},
		{"server closes with code and reason", s.serverCloses},
		{"client closes with code and reason", s.clientCloses},
		{"client vanishes", s.clientVanishes},
		{"close is idempotent", s.closeTwice},
		{"close from many goroutines", s.closeConcurrently},
		{"close during a read", s.closeDuringRead},
		{"close during writes", s.closeDuringWrites},
		{"close reason is mended", s.closeReason},
		{"context ends a read", s.contextEndsRead},
		{"context is done before", s.contextDone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			conn, peer := s.open(t)
			tc.run(t, conn, peer)
		})
	}
}

type suite struct {
	features Features
	open     Open
}

// pattern is n bytes of ASCII that differ by position.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = 'a' + byte((i+i/26)%26)
	}
	return p
}

// within fails the test when f has not returned in time.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: still waiting after %v", what, patience)
	}
}

// readN reads n bytes as a session would: chunk by chunk, each valid until the next.
func readN(t *testing.T, conn Conn, n int) []byte {
	t.Helper()
	var got []byte
	within(t, "read", func() {
		for len(got) < n {
			chunk, err := conn.Read(context.Background())
			if err != nil {
				t.Errorf("Read after %d of %d bytes: %v", len(got), n, err)
				return
			}
			if len(chunk) == 0 {
				t.Error("Read returned no bytes and no error")
				return
			}
			got = append(got, chunk...)
		}
	})
	return got
}

func receive(t *testing.T, peer Peer) []byte {
	t.Helper()
	var got []byte
	within(t, "receive", func() {
		var err error
		if got, err = peer.Receive(); err != nil {
			t.Errorf("Receive: %v", err)
		}
	})
	return got
}

func send(t *testing.T, peer Peer, message []byte) {
	t.Helper()
	if err := peer.Send(message); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// readEnd reads until the connection ends and returns how.
func readEnd(t *testing.T, conn Conn) error {
	t.Helper()
	var end error
	within(t, "the end of Read", func() {
		for end == nil {
			_, end = conn.Read(context.Background())
		}
	})
	return end
}

// receiveEnd receives until the peer's side ends and returns how.
func receiveEnd(t *testing.T, peer Peer) error {
	t.Helper()
	var end error
	within(t, "the end of Receive", func() {
		for end == nil {
			_, end = peer.Receive()
		}
	})
	return end
}

func wantClosed(t *testing.T, err error, code transport.CloseCode, reason string) {
	t.Helper()
	var closed *transport.ClosedError
	if !errors.As(err, &closed) {
		t.Fatalf("ended with %v, want a *transport.ClosedError", err)
	}
	if closed.Code != code || closed.Reason != reason {
		t.Fatalf("closed with %d %q, want %d %q", closed.Code, closed.Reason, code, reason)
	}
}

func (s *suite) echo(t *testing.T, conn Conn, peer Peer) {
	var want []byte
	var messages [][]byte
	for i := range 500 {
		message := fmt.Appendf(nil, "message %d 你好 %s\x00\n", i, pattern(i))
		want = append(want, message...)
		messages = append(messages, message)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // a transport may let the client wait until the server reads
		for _, message := range messages {
			if err := peer.Send(message); err != nil {
				t.Errorf("Send: %v", err)
				return
			}
		}
	})
	got := readN(t, conn, len(want))
	wg.Wait()
	if !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes that differ from the %d sent", len(got), len(want))
	}
	if err := conn.Write(t.Context(), [][]byte{got}); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if back := receive(t, peer); !bytes.Equal(back, want) {
		t.Errorf("the echo of %d bytes differs, %d came back", len(want), len(back))
	}
}

func (s *suite) big(t *testing.T, conn Conn, peer Peer) {
	for _, n := range []int{1, 125, 126, 4095, 4096, 4097, 65535, 65536, s.features.MaxMessage} {
		message := pattern(n)
		send(t, peer, message)
		if got := readN(t, conn, n); !bytes.Equal(got, message) {
			t.Fatalf("a message of %d bytes arrived changed", n)
		}
		if err := conn.Write(t.Context(), [][]byte{message}); err != nil {
			t.Fatalf("Write %d bytes: %v", n, err)
		}
		if got := receive(t, peer); !bytes.Equal(got, message) {
			t.Fatalf("a message of %d bytes was received changed", n)
		}
	}
}

func (s *suite) tooBig(t *testing.T, conn Conn, peer Peer) {
	var wg sync.WaitGroup
	wg.Go(func() { _ = peer.Send(pattern(s.features.MaxMessage + 1)) }) // may fail half-way
	end := readEnd(t, conn)
	var closed *transport.ClosedError
	if !errors.As(end, &closed) || closed.Code != transport.CloseTooLarge {
		t.Errorf("Read ended with %v, want code %d", end, transport.CloseTooLarge)
	}
	wg.Wait()
}

func (s *suite) batch(t *testing.T, conn Conn, peer Peer) {
	var messages [][]byte
	for i := range 300 {
		messages = append(messages, fmt.Appendf(nil, "%d:%s", i, pattern(i*3)))
	}
	if s.features.Binary {
		messages = append(messages, []byte{0xff, 0xfe, 0}, []byte("text again"))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := conn.Write(context.Background(), messages); err != nil {
			t.Errorf("Write: %v", err)
		}
	})
	for i, want := range messages {
		if got := receive(t, peer); !bytes.Equal(got, want) {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
	wg.Wait()
}

func (s *suite) nothing(t *testing.T, conn Conn, peer Peer) {
	if err := conn.Write(t.Context(), nil); err != nil {
		t.Fatalf("Write of nothing: %v", err)
	}
	if err := conn.Write(t.Context(), [][]byte{[]byte("\n")}); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if got := receive(t, peer); string(got) != "\n" {
		t.Errorf("received %q, want a heart-beat", got)
	}
}

func (s *suite) reuse(t *testing.T, conn Conn, peer Peer) {
	message := []byte("first")
	for _, text := range []string{"first", "other", "third"} {
		copy(message, text)
		if err := conn.Write(t.Context(), [][]byte{message}); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	for _, want := range []string{"first", "other", "third"} {
		if got := receive(t, peer); string(got) != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}
