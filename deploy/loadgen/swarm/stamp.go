package swarm

import (
	"bytes"
	"time"
)

// stamp is what a message carries in its content, and its receipt: who sent it, as what, when. All parts have a fixed
// width in hexadecimal digits, so that a message's length does not depend on it.
type stamp struct {
	room   uint32        // index of the room
	sender uint16        // index of the sender among the room's members
	number uint32        // 1, 2, 3, … of that sender in that room
	at     time.Duration // when it was sent, or was due, on the machine's clock
}

const (
	stampMark = '~'
	stampLen  = 1 + 8 + 4 + 8 + 16
)

const digits = "0123456789abcdef"

func (s stamp) append(dst []byte) []byte {
	dst = append(dst, stampMark)
	dst = appendHex(dst, uint64(s.room), 8)
	dst = appendHex(dst, uint64(s.sender), 4)
	dst = appendHex(dst, uint64(s.number), 8)
	return appendHex(dst, uint64(s.at), 16) //nolint:gosec // G115: never negative
}

func appendHex(dst []byte, n uint64, width int) []byte {
	for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

// findStamp reads the first stamp in a text.
func findStamp(text []byte) (s stamp, ok bool) {
	at := bytes.IndexByte(text, stampMark)
	if at < 0 || len(text)-at < stampLen {
		return stamp{}, false
	}
	text = text[at+1 : at+stampLen]
	room, ok1 := hex(text[:8])
	sender, ok2 := hex(text[8:12])
	number, ok3 := hex(text[12:20])
	sent, ok4 := hex(text[20:])
	//nolint:gosec // G115: as wide as the digits
	return stamp{uint32(room), uint16(sender), uint32(number), time.Duration(sent)}, ok1 && ok2 && ok3 && ok4
}

func hex(text []byte) (n uint64, ok bool) {
	for _, c := range text {
		digit := c - '0'
		if digit > 9 {
			if digit = c - 'a' + 10; digit < 10 || digit > 15 {
				return 0, false
			}
		}
		n = n<<4 | uint64(digit)
	}
	return n, true
}
