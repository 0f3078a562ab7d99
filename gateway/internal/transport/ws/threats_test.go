package ws_test

import (
	"bytes"
	"testing"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// RELIABILITY row 38: a message of fragments without end, of one byte each, ends with 1009 once it is too large, however
// many there are.
func TestThreat38FragmentsWithoutEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, ws.Options{})
	w := dialWire(t, r)
	_, end := reading(t, r.accepted(t))
	go func() {
		if _, err := w.Write(frame(opText, "x")); err != nil {
			return
		}
		const atOnce = 1000
		fragments := bytes.Repeat(frame(opContinue, "x"), atOnce)
		for range 1_000_000 / atOnce {
			if _, err := w.Write(fragments); err != nil {
				return
			}
		}
	}()
	if code := w.closeCode(t); code != transport.CloseTooLarge && code != 0 { // a reset may overtake the frame
		t.Errorf("the client saw code %d, want 1009", code)
	}
	if codeOf(end()) != transport.CloseTooLarge {
		t.Errorf("Read ended with %v, want code 1009", end())
	}
}
