package stomp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// A frame that is refused behind its receipt header can still be named in the ERROR frame (STOMP 1.2, "ERROR").
func TestErrorsCarryTheReceiptID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, wire, message, receiptID string }{
		{"wrong content-length", "SEND\nreceipt:r\ncontent-length:1\n\nab\x00", "bad content-length", "r"},
		{"content-length that is no number", "SEND\ncontent-length:-1\nreceipt:r\n\n\x00", "bad content-length", "r"},
		{"announced body too large", "SEND\nreceipt:r\ncontent-length:99999\n\n", "body too large", "r"},
		{"body too large", "SEND\nreceipt:r\n\n" + strings.Repeat("x", 65537), "body too large", "r"},
		{"body where none may be", "BEGIN\nreceipt:r\n\nx", "unexpected body", "r"},
		{"escaped receipt", "BEGIN\nreceipt:a" + `\c` + "b\n\nx", "unexpected body", "a:b"},
		{"first of two", "BEGIN\nreceipt:1\nreceipt:2\n\nx", "unexpected body", "1"},
		{"bad escape behind it", "SEND\nreceipt:r\nx:" + `\t` + "\n\n\x00", "bad escape", "r"},
		{"no receipt", "BEGIN\nid:1\n\nx", "unexpected body", ""},
		{"bad escape before it", "SEND\nx:" + `\t` + "\nreceipt:r\n\n\x00", "bad escape", ""},
		{"header that does not end well", "SEND\nreceipt:r\nnonsense\n\n\x00", "bad header", ""},
		{"of the frame before", "BEGIN\nreceipt:r\n\n\x00HELLO\n\n\x00", "unknown command", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, chunks := range [][]string{{c.wire}, octets(c.wire)} {
				got := decode(stomp.V12, stomp.DefaultLimits, chunks...)
				var failure *stomp.Error
				if !errors.As(got.err, &failure) || failure.Message != c.message || failure.ReceiptID != c.receiptID {
					t.Errorf("in %d chunks: %+v, want %q of the frame with receipt %q",
						len(chunks), failure, c.message, c.receiptID)
				}
			}
		})
	}
}
