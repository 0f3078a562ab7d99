package ws_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// ReadMessage keeps messages apart, whatever their size is beside the chunks that the connection reads.
func TestReadMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{MaxMessage: 100_000})
	peer := dialClient(t, r, nil)
	conn := r.accepted(t).conn
	for _, n := range []int{1, 4095, 4096, 4097, 8192, 100_000, 3} {
		message := bytes.Repeat([]byte{'a' + byte(n%26)}, n)
		for _, p := range [][]byte{{}, message} {
			if err := peer.Send(p); err != nil {
				t.Fatal(err)
			}
		}
		got, err := conn.ReadMessage(context.Background(), []byte("> "), 100_000)
		if err != nil || !bytes.Equal(got, append([]byte("> "), message...)) {
			t.Fatalf("a message of %d bytes: %d bytes, %v", n, len(got), err)
		}
	}
	if err := peer.Send(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	var closed *transport.ClosedError
	if _, err := conn.ReadMessage(context.Background(), nil, 9); !errors.As(err, &closed) || closed.Code != transport.CloseTooLarge {
		t.Errorf("a message above the limit: %v", err)
	}
}

// What Read has returned is the reader's until it reads again, also when somebody else closes the connection meanwhile:
// what comes on other connections must not show in it.
func TestWhatWasReadStaysWhileAnotherCloses(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	others := make([]client, 8)
	conns := make([]*ws.Conn, len(others))
	for i := range others {
		others[i] = dialClient(t, r, nil)
		conns[i] = r.accepted(t).conn
	}
	secret, mine := bytes.Repeat([]byte{'s'}, 2000), bytes.Repeat([]byte{'m'}, 1000)
	for range 20 {
		peer := dialClient(t, r, nil)
		conn := r.accepted(t).conn
		if err := peer.Send(mine); err != nil {
			t.Fatal(err)
		}
		got, err := conn.Read(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = peer.Receive() }() // answers the close frame
		if err := conn.Close(transport.ClosePolicy, "enough"); err != nil {
			t.Fatal(err)
		}
		for i := range others {
			if err := others[i].Send(secret); err != nil {
				t.Fatal(err)
			}
			if _, err := conns[i].Read(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, mine[:len(got)]) {
			t.Fatalf("what was read is now %.20q…, and was %.20q…", got, mine)
		}
	}
}
