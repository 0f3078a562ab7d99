package ws_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// The server pings again and again while the client answers.
func TestServerPings(t *testing.T) {
	t.Parallel()
	inEachManner(t, serverPings)
}

func serverPings(t *testing.T, m manner) {
	r := newRigOf(t, m, ws.Options{PingEvery: time.Millisecond, PongWait: patience})
	w := dialWire(t, r)
	reading(t, r.accepted(t))
	seen := map[string]bool{}
	for range 5 {
		first, payload, err := w.read()
		if err != nil || first != fin|opPing {
			t.Fatalf("got %x %q, %v; want a ping", first, payload, err)
		}
		seen[string(payload)] = true
		w.send(t, frame(fin|opPong, string(payload)))
	}
	if len(seen) != 5 {
		t.Errorf("pings carried %d different payloads, want 5", len(seen))
	}
}

// A client that vanished without a word is found by its missing pong.
func TestMissingPongEndsTheConnection(t *testing.T) {
	t.Parallel()
	inEachManner(t, missingPongEndsTheConnection)
}

func missingPongEndsTheConnection(t *testing.T, m manner) {
	r := newRigOf(t, m, ws.Options{PingEvery: time.Millisecond, PongWait: 20 * time.Millisecond})
	w := dialWire(t, r)
	_, end := reading(t, r.accepted(t))
	if err := end(); err == nil || codeOf(err) != 0 {
		t.Errorf("Read ended with %v, want an error that is no close", err)
	}
	for {
		if _, _, err := w.read(); err != nil {
			return // the socket is closed
		}
	}
}

// While nobody reads, a pong cannot be seen, and its absence proves nothing.
func TestPongsAreNotMissedWhileNobodyReads(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{PingEvery: time.Millisecond, PongWait: 5 * time.Millisecond})
	w := dialWire(t, r)
	s := r.accepted(t)
	for range 5 { // several pings without an answer read by the server
		first, payload, err := w.read()
		if err != nil || first != fin|opPing {
			t.Fatalf("got %x, %v; want a ping", first, err)
		}
		w.send(t, frame(fin|opPong, string(payload)))
	}
	w.send(t, frame(fin|opText, "still here"))
	if p, err := s.conn.Read(t.Context()); err != nil || string(p) != "still here" {
		t.Errorf("Read = %q, %v", p, err)
	}
}

func TestClientPingsAreAnswered(t *testing.T) {
	t.Parallel()
	inEachManner(t, clientPingsAreAnswered)
}

func clientPingsAreAnswered(t *testing.T, m manner) {
	r := newRigOf(t, m, ws.Options{})
	w := dialWire(t, r)
	reading(t, r.accepted(t))
	for i := range 50 {
		want := fmt.Sprintf("%0*d", i*125/50, i)
		w.send(t, frame(fin|opPing, want))
		first, payload, err := w.read()
		if err != nil || first != fin|opPong || string(payload) != want {
			t.Fatalf("ping %d: got %x %q, %v; want a pong with %q", i, first, payload, err, want)
		}
	}
}

// RELIABILITY row 38: a flood of pings ends with 1008 after a hundred, not a million.
func TestThreat38PingFlood(t *testing.T) {
	t.Parallel()
	inEachManner(t, pingFlood)
}

func pingFlood(t *testing.T, m manner) {
	for name, opcode := range map[string]byte{"ping": opPing, "pong": opPong} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			go func() {
				flood := frame(fin|opcode, "x")
				for range 1_000_000 {
					if _, err := w.Write(flood); err != nil {
						return
					}
				}
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

// Nothing stays behind when a connection has ended, however it ended.
func TestNoGoroutinesLeft(t *testing.T) {
	for _, m := range []manner{direct, through, called} {
		t.Run(string(m), func(t *testing.T) { noGoroutinesLeft(t, m) })
	}
}

func noGoroutinesLeft(t *testing.T, m manner) {
	before := runtime.NumGoroutine()
	r := newRigOf(t, m, ws.Options{PingEvery: time.Millisecond, PongWait: time.Second})
	for i := range 30 {
		w := dialWire(t, r)
		s := r.accepted(t)
		_, end := reading(t, s)
		switch i % 3 {
		case 0:
			_ = w.Close()
		case 1:
			w.send(t, frame(fin|opClose, "\x03\xe8"))
			w.closeCode(t)
		case 2:
			w.send(t, frame(fin|opText, "\xff"))
			w.closeCode(t)
		}
		if end() == nil {
			t.Fatal("Read has not ended")
		}
	}
	// 30 goroutines of Serve wait for the test's end; those of the readers, pings and the HTTP server must go.
	const margin = 30 + 8
	deadline := time.After(patience)
	for runtime.NumGoroutine() > before+margin {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		default:
			runtime.Gosched()
		}
	}
}
