package stomp

import (
	"bytes"
	"sync"
)

// Limits bounds what a Decoder takes from a peer, in octets as they are on the wire. Zero allows none. All header
// lines of a frame together may take headerBlockLines times MaxHeaderLine.
type Limits struct {
	MaxBody       int // of a body
	MaxHeaders    int // number of header lines of a frame, repeated ones included
	MaxHeaderLine int // of a header line, key and colon included
}

// DefaultLimits are for authenticated peers.
var DefaultLimits = Limits{MaxBody: 64 << 10, MaxHeaders: 100, MaxHeaderLine: 8 << 10}

const (
	// headerBlockLines bounds the header block without another limit to set.
	headerBlockLines = 8
	// usualFields is how many fields most frames have room for (32 octets each).
	usualFields = 16
)

// rooms are lent to decoders that have a frame in hand, so that an idle one holds no memory.
var rooms = sync.Pool{New: func() any { return new([usualFields]Field) }}

// Decoder makes frames of a stream of bytes that arrives in chunks cut anywhere. It works in the chunk itself and
// copies only what it must keep of an unfinished frame; every octet is looked at a fixed number of times, however
// small the chunks. It never reserves memory for octets that are only announced.
//
// A Decoder belongs to one goroutine.
type Decoder struct {
	limits  Limits
	version Version
	data    []byte // the chunk; or, if owned, a copy of an unfinished frame and all that came since
	owned   bool
	start   int // of the current frame in data
	current progress
	frame   Frame
	room    *[usualFields]Field // under frame.Header, unless that has more fields; nil while idle
	err     *Error
}

// progress is how far the current frame is read. Offsets count from the frame's start, so that the octets may move.
type progress struct {
	command string // once its line is complete
	headers int    // lines so far
	block   int    // where the header block starts
	line    int    // where the line now read starts
	scanned int    // no LF between line and here
	clean   int    // no NUL before here; if there is an octet here, it is one
	body    int    // where the body starts; 0 while in the header
	length  int    // of the body, if hasLen
	hasLen  bool
}

// NewDecoder returns a decoder for a peer that has yet to CONNECT: nothing is unescaped, lines end in LF or CRLF.
func NewDecoder(limits Limits) *Decoder {
	return &Decoder{limits: limits}
}

// SetLimits replaces the limits, from the next octet looked at.
func (d *Decoder) SetLimits(limits Limits) { d.limits = limits }

// SetVersion says what was negotiated. Call it between frames: after Next has returned the CONNECT.
func (d *Decoder) SetVersion(v Version) { d.version = v }

// Feed adds the bytes that arrived. Call Next until it returns (nil, nil): until then the chunk must not change.
func (d *Decoder) Feed(chunk []byte) {
	if d.err != nil {
		return
	}
	d.keep()
	if len(d.data) == 0 {
		d.data = chunk
		return
	}
	d.data = append(d.data, chunk...)
}

// Next returns the next complete frame, or (nil, nil) when it needs more bytes. The frame, its header slice and its
// body are valid until the next call of Next or Feed; the header's strings stay valid for ever. End-of-lines between
// frames (heart-beats) are skipped. Errors are *Error; after one, Next returns it again and again.
func (d *Decoder) Next() (*Frame, error) {
	if d.err != nil {
		return nil, d.err
	}
	if d.current.command == "" {
		d.frame = Frame{Header: d.frame.Header[:0]}
	}
	done, err := d.read()
	switch {
	case err != nil:
		if d.current.body > 0 {
			err.ReceiptID = d.frame.Header.Get(receipt)
		}
		*d = Decoder{err: err}
		return nil, err
	case !done:
		d.keep()
		return nil, nil
	}
	return &d.frame, nil
}

// Buffered is how many octets of an unfinished frame are held, once Next has returned (nil, nil).
func (d *Decoder) Buffered() int { return len(d.data) - d.start }

// keep makes the rest of the data independent of the chunk it came in, and lets go of everything else.
func (d *Decoder) keep() {
	rest := d.data[d.start:]
	switch {
	case len(rest) == 0:
		d.data, d.owned = nil, false
		if d.room != nil && d.current.command == "" {
			clear(d.room[:]) // strings must not live on in it
			rooms.Put(d.room)
			d.room, d.frame.Header = nil, nil
		}
	case !d.owned || d.start > 0:
		d.data, d.owned = bytes.Clone(rest), true
	}
	d.start = 0
}
