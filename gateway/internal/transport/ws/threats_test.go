package ws_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// RELIABILITY row 38: frames without end that bring nothing, or next to nothing, end the connection after a thousand of
// them, not a hundred thousand: fragments that never make a message, and messages that are empty.
func TestThreat38FramesThatBringNothing(t *testing.T) {
	t.Parallel()
	inEachManner(t, framesThatBringNothing)
}

func framesThatBringNothing(t *testing.T, m manner) {
	for name, c := range map[string]struct{ first, again []byte }{
		"fragments of a byte":       {frame(opText, "x"), frame(opContinue, "x")},
		"empty fragments":           {frame(opText, ""), frame(opContinue, "")},
		"empty messages":            {nil, frame(fin|opBinary, "")},
		"empty fragments and pings": {frame(opText, "x"), append(frame(opContinue, ""), frame(fin|opPing, "")...)},
		"line feeds":                {nil, frame(fin|opText, "\n")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			go func() {
				if _, err := w.Write(c.first); err != nil {
					return
				}
				const atOnce = 1000
				many := bytes.Repeat(c.again, atOnce)
				for range 100_000 / atOnce {
					if _, err := w.Write(many); err != nil {
						return
					}
				}
				_, _ = w.Write(frame(fin|opClose, "\x03\xe8")) // nobody has minded
			}()
			if code := w.closeCode(t); code != transport.ClosePolicy && code != 0 { // a reset may overtake the frame
				t.Errorf("the client saw code %d, want 1008", code)
			}
			if codeOf(end()) != transport.ClosePolicy {
				t.Errorf("Read ended with %v, want code 1008", end())
			}
		})
	}
}

// A message may come in as many fragments as its bytes allow, where they bring something.
func TestManyFragments(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	conn := r.accepted(t).conn
	const fragments, part = 4000, "sixteen bytes: ok"
	go func() {
		_, _ = w.Write(frame(opText, part)) // the reader tells what is wrong
		_, _ = w.Write(bytes.Repeat(frame(opContinue, part), fragments-2))
		_, _ = w.Write(frame(fin|opContinue, part))
	}()
	got, err := conn.ReadMessage(t.Context(), nil, fragments*len(part))
	if err != nil || len(got) != fragments*len(part) {
		t.Errorf("%d bytes of %d fragments, %v", len(got), fragments, err)
	}
}

// halfClosable is a pipe that can be closed on one side, as a socket can.
type halfClosable struct{ net.Conn }

func (halfClosable) CloseWrite() error { return nil }

// RELIABILITY row 38: who was refused, and goes on sending, is not listened to for long.
func TestThreat38WhoWasRefusedIsNotReadForLong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		again []byte
		most  int
	}{
		"large frames": {frame(opContinue, strings.Repeat("x", 4000)), 2 << 20},
		"small frames": {frame(opContinue, ""), 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				conn := ws.NewConn(halfClosable{ours}, 100)
				go func() { _, _ = io.Copy(io.Discard, theirs) }() // the close frame
				sent := make(chan int)
				go func() {
					n, err := theirs.Write([]byte{fin | 0x70 | opText, 0x80})
					for err == nil && n < 64<<20 { // more than it takes
						var more int
						more, err = theirs.Write(c.again)
						n += more
					}
					sent <- n
				}()
				if _, err := conn.Read(t.Context()); codeOf(err) != transport.CloseProtocol {
					t.Errorf("Read ended with %v, want code 1002", err)
				}
				if n := <-sent; n > c.most {
					t.Errorf("%d bytes were read after the refusal, want at most %d", n, c.most)
				}
				_ = theirs.Close()
			})
		})
	}
}
