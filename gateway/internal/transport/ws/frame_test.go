package ws_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// statusOfRaw sends bytes on a fresh connection and returns the status of the answer.
func statusOfRaw(t *testing.T, r *rig, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read the answer to %q: %v", request, err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// outcome is what came of reading a connection to its end.
type outcome struct {
	text string
	err  error
}

// reading serves a connection by reading it to its end; got has all bytes, end how it ended.
func reading(t *testing.T, s served) (got func() string, end func() error) {
	t.Helper()
	done := make(chan outcome, 1)
	if s.manner == called {
		new(listener).listen(s.conn, done)
	} else {
		go readAll(s.conn, done)
	}
	var result outcome
	wait := func() outcome {
		if result.err == nil {
			select {
			case result = <-done:
			case <-time.After(patience):
				t.Fatal("Read has not ended")
			}
		}
		return result
	}
	return func() string { return wait().text }, func() error { return wait().err }
}

func readAll(conn *ws.Conn, done chan<- outcome) {
	var text strings.Builder
	for {
		p, err := conn.Read(context.Background())
		if err != nil {
			done <- outcome{text.String(), err}
			return
		}
		text.Write(p)
	}
}

// listener reads when it is called.
type listener struct{ text strings.Builder }

func (l *listener) listen(conn *ws.Conn, done chan<- outcome) {
	for {
		p, err := conn.Poll(false)
		if err != nil {
			done <- outcome{l.text.String(), err}
			return
		}
		l.text.Write(p)
		if len(p) == 0 {
			conn.Await(func() { l.listen(conn, done) })
			return
		}
	}
}

func codeOf(err error) transport.CloseCode {
	var closed *transport.ClosedError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

// RELIABILITY row 38 and section 4.4: each broken sequence of frames ends with a code that both sides see.
func TestThreat38BrokenFrames(t *testing.T) {
	t.Parallel()
	inEachManner(t, brokenFrames)
}

func brokenFrames(t *testing.T, m manner) {
	long := strings.Repeat("x", 4999)
	unmasked := []byte{fin | opText, 1, 'x'}
	hugeLength := []byte{fin | opText, 0x80 | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	tests := []struct {
		name   string
		frames [][]byte
		code   transport.CloseCode
	}{
		{"unmasked", [][]byte{unmasked}, 1002},
		{"length with the top bit set", [][]byte{hugeLength}, 1002},
		{"RSV1 without an extension", [][]byte{frame(fin|0x40|opText, "x")}, 1002},
		{"RSV2", [][]byte{frame(fin|0x20|opText, "x")}, 1002},
		{"RSV3", [][]byte{frame(fin|0x10|opText, "x")}, 1002},
		{"unknown opcode 3", [][]byte{frame(fin|3, "x")}, 1002},
		{"unknown control opcode 11", [][]byte{frame(fin|11, "")}, 1002},
		{"ping of 126 bytes", [][]byte{frame(fin|opPing, strings.Repeat("p", 126))}, 1002},
		{"fragmented ping", [][]byte{frame(opPing, "p")}, 1002},
		{"continuation of nothing", [][]byte{frame(fin|opContinue, "x")}, 1002},
		{"text within a fragmented text", [][]byte{frame(opText, "a"), frame(fin|opText, "b")}, 1002},
		{"text no UTF-8, in the first of 5,000 bytes", [][]byte{frame(fin|opText, "\xff"+long)[:20]}, 1007},
		{"close of 1 byte", [][]byte{frame(fin|opClose, "x")}, 1002},
		{"close reason no UTF-8", [][]byte{frame(fin|opClose, "\x03\xe8\xff\xfe")}, 1007},
		{"close reason cut inside a rune", [][]byte{frame(fin|opClose, "\x03\xe8ok\xe4\xbd")}, 1007},
		{"text no UTF-8", [][]byte{frame(fin|opText, "a\xffb")}, 1007},
		{"text ends inside a rune", [][]byte{frame(fin|opText, "SEND\n\n\xe4\xbd")}, 1007},
		{"rune cut across two messages", [][]byte{frame(fin|opText, "\xe4\xbd"), frame(fin|opText, "\xa0")}, 1007},
		{"surrogate half", [][]byte{frame(fin|opText, "\xed\xa0\x80")}, 1007},
		{"overlong slash", [][]byte{frame(fin|opText, "\xc0\xaf")}, 1007},
		{"above U+10FFFF", [][]byte{frame(fin|opText, "\xf4\x90\x80\x80")}, 1007},
		{"no UTF-8 in the last of many chunks", [][]byte{frame(fin|opText, strings.Repeat("a", 9000)+"\xff")}, 1007},
		{"no UTF-8 in a fragment, and no more for now", [][]byte{frame(opText, "\xce\xba\xf4\x90")}, 1007},
		{"no UTF-8 across fragments", [][]byte{frame(opText, "\xe4"), frame(fin|opContinue, "A")}, 1007},
		{"too large in one frame", [][]byte{frame(fin|opText, strings.Repeat("a", 10_001))}, 1009},
		{"too large in fragments without end", append([][]byte{frame(opBinary, "")},
			repeat(frame(opContinue, strings.Repeat("x", 100)), 200)...), 1009},
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		tests = append(tests, struct {
			name   string
			frames [][]byte
			code   transport.CloseCode
		}{fmt.Sprintf("close code %d", code), [][]byte{frame(fin|opClose, string([]byte{byte(code >> 8), byte(code)}))}, 1002})
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{MaxMessage: 10_000})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			for _, f := range tc.frames {
				if _, err := w.Write(f); err != nil {
					break // the server may have closed before the last fragment
				}
			}
			if got := w.closeCode(t); got != tc.code {
				t.Errorf("the client saw code %d, want %d", got, tc.code)
			}
			if got := codeOf(end()); got != tc.code {
				t.Errorf("Read ended with %v, want code %d", end(), tc.code)
			}
		})
	}
}

func repeat(p []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = p
	}
	return all
}

func TestGoodFrames(t *testing.T) {
	t.Parallel()
	inEachManner(t, goodFrames)
}

func goodFrames(t *testing.T, m manner) {
	long := strings.Repeat("é你😀", 2000) // cut by chunks of 4 KiB inside runes
	bytewise := [][]byte{frame(opText, "")}
	for _, b := range []byte("你好 😀") {
		bytewise = append(bytewise, frame(opContinue, string([]byte{b})))
	}
	bytewise = append(bytewise, frame(fin|opContinue, ""))
	for _, tc := range []struct {
		name   string
		frames [][]byte
		want   string
	}{
		{"text", [][]byte{frame(fin|opText, "SEND\n\n\x00")}, "SEND\n\n\x00"},
		{"binary need not be UTF-8", [][]byte{frame(fin|opBinary, "\xff\xfe")}, "\xff\xfe"},
		{"text and binary mixed", [][]byte{frame(fin|opText, "a"), frame(fin|opBinary, "\xe4"), frame(fin|opText, "b")}, "a\xe4b"},
		{"empty messages", [][]byte{frame(fin|opText, ""), frame(fin|opBinary, ""), frame(fin|opText, "x")}, "x"},
		{"fragments with controls between", [][]byte{
			frame(opText, "one "), frame(fin|opPing, "?"), frame(opContinue, "two "), frame(fin|opPong, ""),
			frame(fin|opContinue, "three"),
		}, "one two three"},
		{"runes cut by fragments", bytewise, "你好 😀"},
		{"runes cut by chunks", [][]byte{frame(fin|opText, long)}, long},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			got, end := reading(t, r.accepted(t))
			w.send(t, tc.frames...)
			w.send(t, frame(fin|opClose, "\x03\xe8done"))
			if code := w.closeCode(t); code != 1000 {
				t.Errorf("close code %d, want 1000", code)
			}
			if got() != tc.want {
				t.Errorf("read %q, want %q", got(), tc.want)
			}
			if codeOf(end()) != 1000 {
				t.Errorf("Read ended with %v, want code 1000", end())
			}
		})
	}
}

// Close codes that RFC 6455 section 7.4 lets a client send are taken as they are.
func TestClientCloseCodes(t *testing.T) {
	t.Parallel()
	inEachManner(t, clientCloseCodes)
}

func clientCloseCodes(t *testing.T, m manner) {
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			w.send(t, frame(fin|opClose, string([]byte{byte(code >> 8), byte(code)})+"再见"))
			if got := w.closeCode(t); int(got) != code {
				t.Errorf("the answer has code %d, want %d", got, code)
			}
			if int(codeOf(end())) != code {
				t.Errorf("Read ended with %v, want code %d", end(), code)
			}
		})
	}
}

func TestCloseWithoutACode(t *testing.T) {
	t.Parallel()
	inEachManner(t, closeWithoutACode)
}

func closeWithoutACode(t *testing.T, m manner) {
	r := newRigOf(t, m, ws.Options{})
	w := dialWire(t, r)
	_, end := reading(t, r.accepted(t))
	w.send(t, frame(fin|opClose, ""))
	first, payload, err := w.read()
	if err != nil || first != fin|opClose || len(payload) != 0 {
		t.Errorf("the answer is %x %q, %v; want an empty close frame", first, payload, err)
	}
	if codeOf(end()) != 1005 {
		t.Errorf("Read ended with %v, want code 1005", end())
	}
}

// What a client sent behind its close frame, or behind a broken one, does not turn the end into a reset, which could
// overtake our close frame: the client reads that frame, and then the end.
func TestTheEndIsNoReset(t *testing.T) {
	t.Parallel()
	inEachManner(t, theEndIsNoReset)
}

func theEndIsNoReset(t *testing.T, m manner) {
	behind := strings.Repeat("more", 16<<10)
	for name, last := range map[string][]byte{
		"behind a close frame":  frame(fin|opClose, "\x03\xe8"),
		"behind a broken frame": frame(fin|3, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			w.send(t, slices.Concat(last, frame(fin|opText, behind), frame(fin|opClose, "\x03\xe8"), frame(fin|opText, behind)))
			if first, _, err := w.read(); err != nil || first != fin|opClose {
				t.Fatalf("the first frame is %x, %v; want a close frame", first, err)
			}
			if first, _, err := w.read(); !errors.Is(err, io.EOF) {
				t.Errorf("then comes %x, %v; want the end", first, err)
			}
			_ = w.Close()
			if err := end(); err == nil {
				t.Error("Read has not ended")
			}
		})
	}
}

// A connection that ends within a message gives no part of a frame that the client never finished as a whole one.
func TestCutWithinAMessage(t *testing.T) {
	t.Parallel()
	inEachManner(t, cutWithinAMessage)
}

func cutWithinAMessage(t *testing.T, m manner) {
	whole := frame(fin|opText, "你好你好")
	for name, part := range map[string][]byte{
		"header":           whole[:4],
		"payload":          whole[:len(whole)-1],
		"between fragment": frame(opText, "\xe4"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, m, ws.Options{})
			w := dialWire(t, r)
			_, end := reading(t, r.accepted(t))
			w.send(t, part)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := end(); codeOf(err) != 0 {
				t.Errorf("Read ended with %v, want an error of the network", err)
			}
		})
	}
}

// net/http may have read the first frames together with the request.
func TestBytesRightAfterTheHandshake(t *testing.T) {
	t.Parallel()
	inEachManner(t, bytesRightAfterTheHandshake)
}

func bytesRightAfterTheHandshake(t *testing.T, m manner) {
	r := newRigOf(t, m, ws.Options{})
	first := strings.Repeat("early ", 300)
	w := dialWire(t, r, frame(fin|opText, first)...)
	got, _ := reading(t, r.accepted(t))
	w.send(t, frame(fin|opText, "late"), frame(fin|opClose, "\x03\xe8"))
	if got() != first+"late" {
		t.Errorf("read %d bytes %.20q…, want %d", len(got()), got(), len(first)+4)
	}
}
