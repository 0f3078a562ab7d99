package stomp

import (
	"bytes"
	"unicode/utf8"
)

// What AppendTo writes around a prepared header block.
const (
	beforeSubscription = CmdMessage + "\nsubscription:"
	beforeAck          = "\nack:"
)

// Prepared is a MESSAGE frame that goes to many subscriptions: encoded once, completed for each. It is immutable and
// safe for use by any number of goroutines.
type Prepared struct {
	head  []byte           // the lines after subscription and ack, and the empty line
	heads *[V12 + 1][]byte // by version, where they differ; nil for next to all frames
	body  []byte
	utf8  bool
}

// NewPrepared encodes a MESSAGE frame without its subscription and ack headers, which h must not hold.
// It is made once for receivers of all versions; only a header that needs escaping is encoded for each.
// content-length is written as AppendFrame does, and for an empty body, too. The body is kept, not copied.
func NewPrepared(h Header, body []byte) *Prepared {
	p := &Prepared{body: body, head: preparedHead(V12, h, len(body))}
	if lines := bytes.Count(p.head, lineFeed) - 1; !isPlain(p.head[:len(p.head)-1], lines) {
		oldest := preparedHead(V10, h, len(body))
		p.heads = &[V12 + 1][]byte{oldest, V10: oldest, V11: preparedHead(V11, h, len(body)), V12: p.head}
	}
	p.utf8 = utf8.Valid(p.head) && utf8.Valid(body)
	return p
}

func preparedHead(v Version, h Header, length int) []byte {
	size := len(contentLength) + 24
	for i := range h {
		size += len(h[i].Key) + len(h[i].Value) + 2
	}
	head := appendHeader(make([]byte, 0, size), v, h, length)
	if _, ok := h.Lookup(contentLength); !ok && length == 0 {
		head = appendLength(head, 0)
	}
	return append(head, '\n')
}

// AppendTo appends the whole frame for one subscription of a client of version v. Both texts are escaped already
// (AppendEscaped) and never empty, but for ack: empty means that this subscription acknowledges nothing. It allocates
// only to grow dst.
func (p *Prepared) AppendTo(dst []byte, v Version, subscription, ack string) []byte {
	dst = append(dst, beforeSubscription...)
	dst = append(dst, subscription...)
	if ack != "" {
		dst = append(dst, beforeAck...)
		dst = append(dst, ack...)
	}
	dst = append(dst, '\n')
	if p.heads == nil {
		dst = append(dst, p.head...)
	} else {
		dst = append(dst, p.heads[v]...)
	}
	dst = append(dst, p.body...)
	return append(dst, 0)
}

// Len is how many bytes AppendTo appends at most, without those of subscription and ack.
func (p *Prepared) Len() int {
	return len(beforeSubscription) + len(beforeAck) + 1 + len(p.head) + len(p.body) + 1
}

// Body is the body that NewPrepared was given. It must not be changed.
func (p *Prepared) Body() []byte { return p.body }

// UTF8 says whether header and body are valid UTF-8: the frame may go out as a text message if the subscription id
// is, too.
func (p *Prepared) UTF8() bool { return p.utf8 }
