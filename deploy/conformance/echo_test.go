package conformance_test

import (
	"bufio"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The functional cases of the Autobahn suite, each by its number, told in our words: RFC 6455 on an echo.

// echoCase is rounds of frames, and how it ends: with the client's close frame, or the server's.
type echoCase struct {
	name   string // begins with Autobahn's number, where it has one
	rounds []round
	// code is what the server closes with: 0 for 1000, the answer to a close frame that is sent behind the last round
	// unless that has one; -1 for a close frame without a code.
	code  int
	chops int // the octets go out in parts of so many bytes; 0: in one
}

// round is what is sent, and what comes back before anything else is sent.
type round struct{ send, want []frame }

// chapter is cases that stand on the same sentences.
type chapter struct {
	spec  string
	cases []echoCase
}

func chapters() []chapter {
	return []chapter{
		{"RFC 6455 5.2: payload length, the minimal number of bytes MUST be used", framing()},
		{"RFC 6455 5.5: control frames MUST have a payload length of 125 bytes or less; a Pong has the Ping's application data", pings()},
		{"RFC 6455 5.2: RSV1, RSV2, RSV3 MUST be 0 unless an extension is negotiated; unknown opcodes MUST fail the connection", reserved()},
		{"RFC 6455 5.4: control frames MAY be injected in the middle of a fragmented message, and MUST NOT be fragmented", fragmentation()},
		{"RFC 6455 8.1: a text that is no valid UTF-8 MUST fail the connection", texts()},
		{"RFC 6455 5.5.1, 7.4: close frames, their codes and reasons", closing()},
		{"RFC 6455 10.4: an implementation MAY have limits; these are below", sizes()},
	}
}

// same comes back as it was sent.
func same(name string, frames ...frame) echoCase {
	return echoCase{name: name, rounds: []round{{frames, frames}}}
}

// answer is one round.
func answer(name string, send []frame, want ...frame) echoCase {
	return echoCase{name: name, rounds: []round{{send, want}}}
}

// broken is failed by the server with a code, before anything comes back.
func broken(name string, code int, frames ...frame) echoCase {
	return echoCase{name: name, rounds: []round{{send: frames}}, code: code}
}

// chopped sends the case's octets in parts.
func (c echoCase) chopped(size int) echoCase {
	c.chops = size
	return c
}

// after is a broken case of which some frames come back before.
func (c echoCase) after(frames ...frame) echoCase {
	c.rounds[len(c.rounds)-1].want = frames
	return c
}

// numbered finds Autobahn's number in a name.
var numbered = regexp.MustCompile(`^(\d+)(\.\d+)+ `)

func TestEcho(t *testing.T) {
	t.Parallel()
	if echo == "" {
		t.Log("a server named by -addr has no echo that we know of: TestBrokenWebSocket holds its STOMP address to these rules")
		return
	}
	seen, perChapter := map[string]bool{}, map[string]int{}
	for _, chapter := range chapters() {
		for _, c := range chapter.cases {
			if number := numbered.FindStringSubmatch(c.name); number != nil && !seen[strings.Fields(c.name)[0]] {
				seen[strings.Fields(c.name)[0]] = true
				perChapter[number[1]]++
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, echo, chapter.spec)
			})
		}
	}
	for number, want := range map[string]int{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1} {
		if perChapter[number] != want {
			t.Errorf("chapter %s has %d cases, Autobahn has %d", number, perChapter[number], want)
		}
	}
	if len(seen) != 301 {
		t.Errorf("%d cases, Autobahn has 301", len(seen))
	}
}

// TestBrokenWebSocket holds the STOMP address to the cases that need no echo: what the server has to fail at once.
func TestBrokenWebSocket(t *testing.T) {
	t.Parallel()
	for _, chapter := range chapters() {
		for _, c := range chapter.cases {
			if c.code <= 0 || len(c.rounds) != 1 || len(c.rounds[0].want) > 0 {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, stomp, chapter.spec)
			})
		}
	}
}

func (c echoCase) run(t *testing.T, to, spec string) {
	t.Helper()
	v := verdict{t, "WebSocket: " + c.name, spec}
	conn, r := dialRaw(t, to)
	for n, round := range c.rounds {
		octets := c.octets(n)
		go c.write(conn, octets)
		for _, want := range round.want {
			if got, err := nextFrame(r); err != nil || got != want {
				v.fails("got %v (%v), want %v", got, err, want)
				return
			}
		}
	}
	c.ends(v, conn, r)
}

// ends reads the server's close frame, and the end of the connection behind it.
func (c echoCase) ends(v verdict, conn net.Conn, r *bufio.Reader) {
	v.t.Helper()
	want := ""
	switch {
	case c.code == 0:
		want = byeFrame(1000, "").payload
	case c.code > 0:
		want = byeFrame(c.code, "").payload
	}
	got, err := nextFrame(r)
	if err != nil {
		v.fails("%v, want a close frame with %d", err, max(c.code, 1000))
		return
	}
	if !got.isClose() || !strings.HasPrefix(got.payload, want) || want == "" && got.payload != "" {
		v.fails("got %v, want a close frame with %d", got, max(c.code, 1000))
		return
	}
	_, _ = conn.Write(got.octets()) // the answer, which the server waits for; it may have closed already
	if more, err := r.ReadByte(); err == nil {
		v.fails("%x came after the close frame", more)
	}
}

// octets of a round; behind the last one the client closes, where the server does not.
func (c echoCase) octets(n int) []byte {
	var octets []byte
	closes := n < len(c.rounds)-1 || c.code != 0
	for _, f := range c.rounds[n].send {
		octets = append(octets, f.octets()...)
		closes = closes || f.isClose()
	}
	if !closes {
		octets = append(octets, byeFrame(1000, "").octets()...)
	}
	return octets
}

// write sends octets. The server may have closed long before the last one.
func (c echoCase) write(conn net.Conn, octets []byte) {
	size := len(octets)
	if c.chops > 0 {
		size = c.chops
	}
	for piece := range slices.Chunk(octets, size) {
		if _, err := conn.Write(piece); err != nil {
			return
		}
	}
}
