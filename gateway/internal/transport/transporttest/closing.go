package transporttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport"
)

// pump reads on the server's side, as every session does, until the end.
func pump(conn Conn) <-chan error {
	end := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Read(context.Background()); err != nil {
				end <- err
				return
			}
		}
	}()
	return end
}

// await takes how an end came.
func await(t *testing.T, what string, end <-chan error) error {
	t.Helper()
	var err error
	within(t, what, func() { err = <-end })
	return err
}

func wantWriteRefused(t *testing.T, conn Conn) {
	t.Helper()
	if err := conn.Write(context.Background(), [][]byte{[]byte("late")}); err == nil {
		t.Error("Write after the end succeeded")
	}
}

func (s *suite) serverCloses(t *testing.T, conn Conn, peer Peer) {
	if err := conn.Write(t.Context(), [][]byte{[]byte("last words")}); err != nil {
		t.Fatalf("Write: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := conn.Close(transport.ClosePolicy, "令牌已过期"); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if got := receive(t, peer); string(got) != "last words" {
		t.Errorf("received %q before the close, want the last words", got)
	}
	wantClosed(t, receiveEnd(t, peer), transport.ClosePolicy, "令牌已过期")
	within(t, "Close", wg.Wait)
	wantClosed(t, readEnd(t, conn), transport.ClosePolicy, "令牌已过期")
	wantWriteRefused(t, conn)
}

func (s *suite) clientCloses(t *testing.T, conn Conn, peer Peer) {
	end := pump(conn)
	within(t, "the client's Close", func() {
		if err := peer.Close(4001, "bye 再见"); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	err := await(t, "the end of Read", end)
	if s.features.ClientCloseCodes {
		wantClosed(t, err, 4001, "bye 再见")
	}
	wantWriteRefused(t, conn)
	within(t, "Close after the end", func() {
		if err := conn.Close(transport.CloseNormal, ""); err != nil {
			t.Errorf("Close after the end: %v", err)
		}
	})
}

func (s *suite) clientVanishes(t *testing.T, conn Conn, peer Peer) {
	peer.Cut()
	err := readEnd(t, conn)
	var closed *transport.ClosedError
	if errors.As(err, &closed) {
		t.Errorf("Read ended with %v, though nobody closed", err)
	}
	wantWriteRefused(t, conn)
}

func (s *suite) closeTwice(t *testing.T, conn Conn, peer Peer) {
	first := receiveInBackground(peer)
	for range 3 {
		within(t, "Close", func() {
			if err := conn.Close(transport.CloseGoingAway, "drain"); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		within(t, "a later Close", func() {
			if err := conn.Close(transport.CloseInternal, "never sent"); err != nil {
				t.Errorf("a later Close: %v", err)
			}
		})
	}
	wantClosed(t, await(t, "the client's end", first), transport.CloseGoingAway, "drain")
	wantClosed(t, readEnd(t, conn), transport.CloseGoingAway, "drain")
}

func receiveInBackground(peer Peer) <-chan error {
	end := make(chan error, 1)
	go func() {
		for {
			if _, err := peer.Receive(); err != nil {
				end <- err
				return
			}
		}
	}()
	return end
}

func (s *suite) closeConcurrently(t *testing.T, conn Conn, peer Peer) {
	clientEnd, end := receiveInBackground(peer), pump(conn)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _ = conn.Close(transport.CloseServiceRestart, "drain") })
	}
	within(t, "all Closes", wg.Wait)
	wantClosed(t, await(t, "the client's end", clientEnd), transport.CloseServiceRestart, "drain")
	wantClosed(t, await(t, "the end of Read", end), transport.CloseServiceRestart, "drain")
}

func (s *suite) closeDuringRead(t *testing.T, conn Conn, peer Peer) {
	end := pump(conn)
	send(t, peer, []byte("so that Read is under way"))
	clientEnd := receiveInBackground(peer)
	within(t, "Close", func() { _ = conn.Close(transport.CloseTryLater, "overload") })
	wantClosed(t, await(t, "the end of Read", end), transport.CloseTryLater, "overload")
	wantClosed(t, await(t, "the client's end", clientEnd), transport.CloseTryLater, "overload")
}

// closeDuringWrites closes while another goroutine writes: whatever the client gets is whole and in order.
func (s *suite) closeDuringWrites(t *testing.T, conn Conn, peer Peer) {
	end := pump(conn)
	var wg sync.WaitGroup
	started := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			if conn.Write(context.Background(), [][]byte{pattern(2000), pattern(10)}) != nil {
				return
			}
			if i == 10 {
				close(started)
			}
		}
	})
	received := make(chan error, 1)
	go func() {
		<-started
		for i := 0; ; i++ {
			message, err := peer.Receive()
			if err != nil {
				received <- err
				return
			}
			if want := []int{2000, 10}[i%2]; len(message) != want {
				t.Errorf("message %d has %d bytes, want %d", i, len(message), want)
			}
		}
	}()
	<-started
	within(t, "Close", func() { _ = conn.Close(transport.CloseGoingAway, "drain") })
	within(t, "the writer's end", wg.Wait)
	wantClosed(t, await(t, "the end of Read", end), transport.CloseGoingAway, "drain")
	wantClosed(t, await(t, "the client's end", received), transport.CloseGoingAway, "drain")
}

func (s *suite) closeReason(t *testing.T, conn Conn, peer Peer) {
	clientEnd := receiveInBackground(peer)
	within(t, "Close", func() { _ = conn.Close(transport.ClosePolicy, "bad \xff "+strings.Repeat("长", 100)) })
	err := await(t, "the client's end", clientEnd)
	var closed *transport.ClosedError
	if !errors.As(err, &closed) || closed.Code != transport.ClosePolicy {
		t.Fatalf("the client saw %v, want code %d", err, transport.ClosePolicy)
	}
	if !utf8.ValidString(closed.Reason) || !strings.HasPrefix(closed.Reason, "bad ? 长") {
		t.Errorf("the client saw the reason %q", closed.Reason)
	}
}

func (s *suite) contextEndsRead(t *testing.T, conn Conn, peer Peer) {
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	send(t, peer, []byte("x"))
	if got := readN(t, conn, 1); string(got) != "x" {
		t.Fatalf("read %q", got)
	}
	go func() {
		_, err := conn.Read(ctx)
		end <- err
	}()
	cancel()
	if err := await(t, "the end of Read", end); !errors.Is(err, context.Canceled) {
		t.Errorf("Read ended with %v, want context.Canceled", err)
	}
	wantWriteRefused(t, conn)
	_ = receiveEnd(t, peer)
}

func (s *suite) contextDone(t *testing.T, conn Conn, _ Peer) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := conn.Write(ctx, [][]byte{[]byte("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v, want context.Canceled", err)
	}
	if _, err := conn.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read = %v, want context.Canceled", err)
	}
}
