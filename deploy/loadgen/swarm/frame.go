package swarm

import (
	"bytes"
)

// frame is a STOMP frame of the server. It points into the message that it came in.
type frame struct {
	command byte   // its first letter tells the server's four commands apart
	head    []byte // the header lines, each behind a line feed
	body    []byte
}

// The server's commands by their first letters.
const (
	connected = 'C'
	message   = 'M'
	receipt   = 'R'
	failure   = 'E' // ERROR
)

var (
	headEnd       = []byte("\n\n")
	contentLength = []byte("\ncontent-length:")
	receiptID     = []byte("\nreceipt-id:")
	seqHeader     = []byte("\nseq:")

	subscriptionHeader = []byte("\nsubscription:")
)

// next takes a frame off a message; ok is false where there is none: heart-beats, or what is no frame (broken).
func next(data []byte) (f frame, rest []byte, ok, broken bool) {
	for len(data) > 0 && (data[0] == '\n' || data[0] == '\r') {
		data = data[1:]
	}
	if len(data) == 0 {
		return frame{}, nil, false, false
	}
	end := bytes.Index(data, headEnd)
	line := bytes.IndexByte(data, '\n')
	if end < 0 || !isCommand(data[:line]) {
		return frame{}, nil, false, true
	}
	f.command, f.head = data[0], data[line:end]
	after := data[end+2:]
	var size int
	if text, found := value(f.head, contentLength); found {
		number, valid := decimal(text)
		if !valid || number >= uint64(len(after)) {
			return frame{}, nil, false, true
		}
		size = int(number) //nolint:gosec // G115: below the length
	} else {
		size = bytes.IndexByte(after, 0)
	}
	if size < 0 || after[size] != 0 {
		return frame{}, nil, false, true
	}
	f.body = after[:size]
	return f, after[size+1:], true, false
}

func isCommand(line []byte) bool {
	switch string(line) {
	case "CONNECTED", "MESSAGE", "RECEIPT", "ERROR":
		return true
	}
	return false
}

// value is the first value of a header, which is given as it stands between two lines: "\nname:".
func value(head, name []byte) ([]byte, bool) {
	at := bytes.Index(head, name)
	if at < 0 {
		return nil, false
	}
	text := head[at+len(name):]
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	return bytes.TrimSuffix(text, []byte{'\r'}), true
}

// decimal reads a number of up to 18 digits.
func decimal(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
