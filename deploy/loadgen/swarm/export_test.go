package swarm

import (
	"time"

	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

// Track is the account of one sequence.
type Track struct{ t track }

// Take notes a number and says what its arrival was.
func (t *Track) Take(number uint32) string {
	return map[fate]string{inOrder: "in order", late: "late", double: "double"}[t.t.take(number)]
}

// Came is how many numbers came.
func (t *Track) Came() uint32 { return t.t.came }

// Frames splits a message into frames: the command's first letter and the body of each; ok is false where it is broken.
func Frames(data []byte) (frames []string, ok bool) {
	for {
		f, rest, whole, broken := next(data)
		if broken || !whole {
			return frames, !broken
		}
		frames = append(frames, string(f.command)+string(f.body))
		data = rest
	}
}

// StampRoundTrip writes a stamp into a text and finds it again.
func StampRoundTrip(before string, room uint32, sender uint16, number uint32, at time.Duration, after string) bool {
	want := stamp{room, sender, number, at}
	got, ok := findStamp(append(want.append([]byte(before)), after...))
	return ok && got == want
}

// FindsStamp says whether a text has a stamp.
func FindsStamp(text []byte) bool {
	_, ok := findStamp(text)
	return ok
}

// AppendStamp writes a stamp.
func AppendStamp(dst []byte, room uint32, sender uint16, number uint32, at time.Duration) []byte {
	return stamp{room, sender, number, at}.append(dst)
}

// Adopt makes a connection, which nothing is behind, the first client's, and takes it to be live.
func (s *Swarm) Adopt() *sockets.Conn {
	conn := &sockets.Conn{}
	s.clients[0].conn, s.clients[0].stage = conn, live
	s.loop.Refresh()
	return conn
}
