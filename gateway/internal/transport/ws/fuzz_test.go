package ws_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fliliy/chat/gateway/internal/transport"
	"github.com/fliliy/chat/gateway/internal/transport/ws"
)

// readStream has a connection read what a client sends, in pieces of a size, before it hangs up.
func readStream(data []byte, piece, maxMessage int) (text string, end error) {
	server, client := net.Pipe()
	conn := ws.NewConn(server, maxMessage)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	go func() {
		defer client.Close()
		for rest := data; len(rest) > 0; {
			n := min(piece, len(rest))
			if _, err := client.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	var all strings.Builder
	for {
		p, err := conn.Read(context.Background())
		if err != nil {
			return all.String(), err
		}
		all.Write(p)
	}
}

// FuzzRead: whatever comes, reading ends, keeps to the limit, and says the same however the bytes are cut.
func FuzzRead(f *testing.F) {
	for _, frames := range [][][]byte{
		{frame(fin|opText, "SEND\n\n\x00"), frame(fin|opClose, "\x03\xe8")},
		{frame(opText, "\xe4\xbd"), frame(fin|opPing, "?"), frame(fin|opContinue, "\xa0")},
		{frame(fin|opBinary, strings.Repeat("\xff", 300)), frame(fin|opPong, "")},
		{frame(fin|opText, strings.Repeat("é", 700))},
		{{fin | opText, 0x80 | 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}},
		{frame(opText, ""), frame(fin|opContinue, ""), frame(fin|opClose, "\x03")},
	} {
		var all []byte
		for _, one := range frames {
			all = append(all, one...)
		}
		f.Add(all, 1)
	}
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		const limit = 1000
		whole, wholeEnd := readStream(data, max(1, len(data)), limit)
		cut, cutEnd := readStream(data, max(1, piece%64), limit)
		same := whole == cut
		if fault := codeOf(wholeEnd); fault == transport.CloseInvalidUTF8 { // what came before it may have been handed over
			same = strings.HasPrefix(cut, whole) || strings.HasPrefix(whole, cut)
		}
		if !same || codeOf(wholeEnd) != codeOf(cutEnd) {
			t.Errorf("whole: %q, %v; in pieces: %q, %v", whole, wholeEnd, cut, cutEnd)
		}
		var closed *transport.ClosedError
		if errors.As(wholeEnd, &closed) && !utf8.ValidString(closed.Reason) {
			t.Errorf("the reason %q is no UTF-8", closed.Reason)
		}
	})
}
