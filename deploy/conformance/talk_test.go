package conformance_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/stompwire"
)

// rule is what a server has to do, told as octets in and frames out.
type rule struct {
	name string
	spec string // the sentence it comes from
	// send are WebSocket messages. ^@ is NUL, {d} a topic of this test alone, {q} a queue; {ack:N}, {id:N} the header
	// ack or message-id of the N-th MESSAGE, which is waited for. See asBinary, inFragments.
	send []string
	// want are the frames that come, as "COMMAND header:value … |body": each header has to be there, "!header" must not;
	// "*" is any value, ␣ a space. An ERROR has to be the last one, and the socket closed behind it.
	want []string
}

const (
	connect12 = "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n^@"
	connect11 = "CONNECT\naccept-version:1.1\nhost:/\nlogin:guest\npasscode:guest\n\n^@"
	connect10 = "CONNECT\nlogin:guest\npasscode:guest\n\n^@"
	goodbye   = "DISCONNECT\nreceipt:bye\n\n^@"
	bye       = "RECEIPT receipt-id:bye"
	in12      = "CONNECTED version:1.2"
	in11      = "CONNECTED version:1.1"
	in10      = "CONNECTED"

	// anew ends the connection without a word more than DISCONNECT, and opens another.
	anew = "DISCONNECT\n\n^@ and again"

	binaryMark, fragmentMark = "\x01", "\x02"
)

// asBinary is a binary message.
func asBinary(message string) string { return binaryMark + message }

// inFragments is a message of so many WebSocket frames.
func inFragments(parts ...string) string { return strings.Join(parts, fragmentMark) }

// in makes the messages of a session: CONNECT, those given, DISCONNECT with a receipt.
func in(connect string, messages ...string) []string {
	return append(append([]string{connect}, messages...), goodbye)
}

// subscribed is in with a subscription to {d} under the id a.
func subscribed(messages ...string) []string {
	return in(connect12, append([]string{"SUBSCRIBE\nid:a\ndestination:{d}\n\n^@"}, messages...)...)
}

func rules() []rule {
	return slices.Concat(connecting, heartBeatHeaders, headers, bodies, mappings, subscriptions, acknowledgements, transactions, endings)
}

// TestRules holds the server to each rule on a connection of its own.
func TestRules(t *testing.T) {
	t.Parallel()
	for i, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			own := strings.NewReplacer("^@", "\x00",
				"{d}", fmt.Sprintf("/topic/rule.%d.%d", i, time.Now().UnixNano()),
				"{q}", fmt.Sprintf("/queue/rule.%d.%d", i, time.Now().UnixNano()))
			r.judge(verdict{t, r.name, r.spec}, own)
		})
	}
}

func (r rule) judge(v verdict, own *strings.Replacer) {
	v.t.Helper()
	frames, last := len(r.want), r.want[len(r.want)-1]
	if last == bye {
		frames--
	}
	got, ended := converse(v.t, own, r.send, frames)
	if strange() && r.name != "receipt of DISCONNECT" && last == bye && ended == "closed with 1000" {
		got = append(got, seen{command: "RECEIPT", header: map[string]string{"receipt-id": "bye"}}) // told once
	}
	for n := range max(len(got), len(r.want)) {
		switch {
		case n >= len(got):
			v.fails("%s, want %s", ended, r.want[n])
			return
		case n >= len(r.want):
			v.fails("%s, want nothing more", got[n])
			return
		case !matches(got[n], own.Replace(r.want[n])):
			v.t.Logf("headers %q", got[n].header)
			v.fails("%s, want %s", got[n], r.want[n])
			return
		}
	}
	if ended != "bye" && !strings.HasPrefix(ended, "closed") {
		v.fails("the connection stays open behind the ERROR (S12 ERROR: the server MUST close it just after)")
	}
}

// talk is a conversation with the server on a connection of its own.
type talk struct {
	t      *testing.T
	ctx    context.Context
	socket *websocket.Conn
	seen   []seen
	ended  string // how: "" while it goes on
}

// dial opens a connection for a conversation.
func dial(t *testing.T) *talk {
	t.Helper()
	return dialFor(t, patienceWith(patience))
}

// dialFor opens a connection that lives as long as that.
func dialFor(t *testing.T, limit time.Duration) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	socket, _, err := websocket.Dial(ctx, stomp, &websocket.DialOptions{Subprotocols: []string{"v12.stomp", "v11.stomp", "v10.stomp"}})
	if err != nil {
		t.Fatalf("dial %s: %v", stomp, err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	socket.SetReadLimit(1 << 20)
	return &talk{t: t, ctx: ctx, socket: socket}
}

// converse sends messages and returns the frames that came, and how it ended: by a close, or as the RECEIPT of DISCONNECT
// came. Servers may not answer what comes before a DISCONNECT once they have read that, so the last message waits for
// so many frames, as the one after CONNECT waits for CONNECTED.
func converse(t *testing.T, own *strings.Replacer, messages []string, frames int) ([]seen, string) {
	t.Helper()
	c := dial(t)
	for i, message := range messages {
		if message == anew {
			c = c.again()
			continue
		}
		switch {
		case message == goodbye:
			c.await(frames)
		case i > 0 && messages[i-1] == connect12, i == 1:
			c.await(len(c.seen) + 1)
		}
		message = own.Replace(c.fill(message))
		if c.ended != "" || c.send(message) != nil {
			break // closed: its frames tell why
		}
	}
	for c.ended == "" {
		c.next()
	}
	return c.seen, c.ended
}

// again goes on with a new connection once the server has closed this one.
func (c *talk) again() *talk {
	c.t.Helper()
	if c.ended == "" && c.send("DISCONNECT\n\n\x00") == nil {
		for c.ended == "" {
			c.next()
		}
	}
	fresh := dial(c.t)
	fresh.seen = c.seen
	return fresh
}

// send sends a message as it is marked: text or binary, in one frame or many.
func (c *talk) send(message string) error {
	kind := websocket.MessageText
	if rest, binary := strings.CutPrefix(message, binaryMark); binary {
		kind, message = websocket.MessageBinary, rest
	}
	parts := strings.Split(message, fragmentMark)
	if len(parts) == 1 {
		return c.socket.Write(c.ctx, kind, []byte(message))
	}
	w, err := c.socket.Writer(c.ctx, kind)
	if err != nil {
		return err
	}
	for _, piece := range parts {
		if _, err := w.Write([]byte(piece)); err != nil {
			return err
		}
	}
	return w.Close()
}

// ofMessage is {ack:N} or {id:N}.
var ofMessage = regexp.MustCompile(`\{(ack|id):(\d)\}`)

// fill replaces what a message takes from one that came, which is waited for.
func (c *talk) fill(message string) string {
	return ofMessage.ReplaceAllStringFunc(message, func(what string) string {
		match := ofMessage.FindStringSubmatch(what)
		n, err := strconv.Atoi(match[2])
		if err != nil {
			c.t.Fatal(err)
		}
		for {
			count := 0
			for _, s := range c.seen {
				if s.command != "MESSAGE" {
					continue
				}
				if count++; count == n {
					return escape(s.header[map[string]string{"ack": "ack", "id": "message-id"}[match[1]]])
				}
			}
			if c.ended != "" {
				return "none"
			}
			c.next()
		}
	})
}

// escape is S12 Value Encoding: frames are seen with their escapes resolved.
func escape(value string) string { return strings.NewReplacer("\\", "\\\\", ":", "\\c").Replace(value) }

// await reads until so many frames have come.
func (c *talk) await(frames int) {
	for c.ended == "" && len(c.seen) < frames {
		c.next()
	}
}

func (c *talk) next() {
	f, code, err := stompwire.Next(c.ctx, c.socket)
	switch {
	case c.ctx.Err() != nil:
		c.ended = "nothing comes"
		return
	case err != nil:
		c.ended = err.Error()
		return
	case f == nil:
		c.ended = fmt.Sprintf("closed with %d", code)
		return
	}
	s := seen{command: f.Command, header: map[string]string{}, body: string(f.Body)}
	for i := range f.Header.Len() {
		key, value := f.Header.GetAt(i)
		if _, repeated := s.header[key]; !repeated {
			s.header[key] = value
		}
	}
	c.seen = append(c.seen, s)
	if f.Command == "RECEIPT" && s.header["receipt-id"] == "bye" {
		c.ended = "bye"
	}
}

// seen is a frame as it came.
type seen struct {
	command string
	header  map[string]string
	body    string
}

// String leaves out what differs from run to run.
func (s seen) String() string {
	switch s.command {
	case "ERROR":
		return fmt.Sprintf("ERROR %q", s.header["message"])
	case "RECEIPT":
		return "RECEIPT receipt-id:" + s.header["receipt-id"]
	case "MESSAGE":
		return fmt.Sprintf("MESSAGE |%.40s", s.body)
	}
	return s.command
}

func matches(got seen, want string) bool {
	head, body, hasBody := strings.Cut(want, " |")
	if hasBody && got.body != body {
		return false
	}
	fields := strings.Fields(head)
	if fields[0] != got.command {
		return false
	}
	for _, field := range fields[1:] {
		key, value, _ := strings.Cut(strings.ReplaceAll(field, "␣", " "), ":")
		absent, isAbsent := strings.CutPrefix(field, "!")
		has, there := got.header[key]
		if _, unwanted := got.header[absent]; isAbsent && unwanted || !isAbsent && (!there || value != "*" && has != value) {
			return false
		}
	}
	return true
}
