package conformance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/deploy/stompwire"
)

const patience = 30 * time.Second

// strangersPatience is for servers named by -addr, where a frame that does not come is a finding, not a bug to wait for.
const strangersPatience = 5 * time.Second

// rule is what a server has to do, told as octets in and frames out.
type rule struct {
	name string
	spec string   // the sentence it comes from
	send []string // WebSocket messages; ^@ is NUL, {d} a topic of this test alone, {q} a queue
	// want are the frames that come, as "COMMAND header:value … |body": each header has to be there, "!header" must not.
	// An ERROR has to be the last one, and the socket closed behind it.
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
)

// in makes the messages of a session: CONNECT, those given, DISCONNECT with a receipt.
func in(connect string, messages ...string) []string {
	return append(append([]string{connect}, messages...), goodbye)
}

// TestRules holds the server to each rule on a connection of its own.
func TestRules(t *testing.T) {
	t.Parallel()
	for i, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			own := strings.NewReplacer("^@", "\x00",
				"{d}", fmt.Sprintf("/topic/rule.%d.%d", i, time.Now().UnixNano()),
				"{q}", fmt.Sprintf("/queue/rule.%d.%d", i, time.Now().UnixNano()))
			frames, last := len(r.want), r.want[len(r.want)-1]
			if last == bye {
				frames--
			}
			got, ended := converse(t, own, r.send, frames)
			if *addr != "" && r.name != "receipt of DISCONNECT" && last == bye && ended == "closed with 1000" {
				got = append(got, seen{command: "RECEIPT", header: map[string]string{"receipt-id": "bye"}}) // told once
			}
			for n := range max(len(got), len(r.want)) {
				switch {
				case n >= len(got):
					t.Errorf("%s, want %s\n%s", ended, own.Replace(r.want[n]), r.spec)
					return
				case n >= len(r.want):
					t.Errorf("got %s, want nothing more\n%s", got[n], r.spec)
				case !matches(got[n], own.Replace(r.want[n])):
					t.Errorf("got  %s\nwant %s\n%s", got[n], own.Replace(r.want[n]), r.spec)
				}
			}
			if ended != "bye" && !strings.HasPrefix(ended, "closed") {
				t.Errorf("%s\n1.2 ERROR: the server MUST close the connection just after", ended)
			}
		})
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

// converse sends messages and returns the frames that came, and how it ended: by a close, or as the RECEIPT of DISCONNECT
// came. Servers may not answer what comes before a DISCONNECT once they have read that, so the last message waits for
// so many frames, as the one after CONNECT waits for the first.
func converse(t *testing.T, own *strings.Replacer, messages []string, frames int) ([]seen, string) {
	t.Helper()
	wait := patience
	if *addr != "" {
		wait = strangersPatience
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, stomp, &websocket.DialOptions{Subprotocols: []string{"v12.stomp", "v11.stomp", "v10.stomp"}})
	if err != nil {
		t.Fatalf("dial %s: %v", stomp, err)
	}
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(1 << 20)
	c := &talk{t: t, ctx: ctx, socket: socket}
	for i, message := range messages {
		switch {
		case message == goodbye:
			c.await(frames)
		case i == 1:
			c.await(1)
		}
		if c.ended != "" || socket.Write(ctx, websocket.MessageText, []byte(own.Replace(message))) != nil {
			break // closed: its frames tell why
		}
	}
	for c.ended == "" {
		c.next()
	}
	return c.seen, c.ended
}

// await reads until so many frames have come.
func (c *talk) await(frames int) {
	for c.ended == "" && len(c.seen) < frames {
		c.next()
	}
}

func (c *talk) next() {
	f, code, err := stompwire.Next(c.ctx, c.socket)
	switch {
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

func (s seen) String() string { return fmt.Sprintf("%s %q |%s", s.command, s.header, s.body) }

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
		key, value, _ := strings.Cut(field, ":")
		absent, isAbsent := strings.CutPrefix(field, "!")
		has, there := got.header[key]
		if _, unwanted := got.header[absent]; isAbsent && unwanted || !isAbsent && (!there || value != "*" && has != value) {
			return false
		}
	}
	return true
}

// rules follow the specification's chapters. Each is about the standard alone, so that any server can be held to it.
var rules = []rule{
	{"CONNECT", "1.2 Connecting: the server responds with CONNECTED", in(connect12), []string{in12, bye}},
	{"receipt of DISCONNECT", "1.2 DISCONNECT: the client waits for the RECEIPT response", in(connect12), []string{in12, bye}},
	{
		"STOMP", "1.2 CONNECT or STOMP Frame: servers MUST handle a STOMP frame in the same manner as CONNECT",
		in(strings.Replace(connect12, "CONNECT", "STOMP", 1)),
		[]string{in12, bye},
	},
	{
		"no CONNECT", "1.2 Connecting: a client initiates by sending the CONNECT frame",
		[]string{"SEND\ndestination:{d}\n\nx^@"},
		[]string{"ERROR"},
	},
	{"second CONNECT", "a session has one CONNECT", in(connect12, connect12), []string{in12, "ERROR"}},
	{
		"no accept-version", "1.2 Protocol Negotiation: if the header is missing, version 1.0 is assumed",
		in(connect10),
		[]string{"CONNECTED", bye},
	},
	{
		"highest common version", "1.2 Protocol Negotiation: the highest version both have in common",
		in(strings.Replace(connect12, "1.2", "1.0,1.1,9.9", 1)),
		[]string{in11, bye},
	},
	{
		"no common version", "1.2 Protocol Negotiation: MUST respond with an ERROR frame and then close",
		[]string{strings.Replace(connect12, "1.2", "9.9", 1)},
		[]string{"ERROR version:*"},
	},
	{"bad passcode", "1.2 CONNECT: login and passcode secure the server", []string{strings.Replace(connect12, "passcode:guest", "passcode:no", 1)}, []string{"ERROR"}},
	{"heart-beat without comma", "1.2 Heart-beating: two positive integers separated by a comma", []string{strings.Replace(connect12, "\n\n", "\nheart-beat:1\n\n", 1)}, []string{"ERROR"}},
	{"heart-beat of letters", "1.2 Heart-beating: two positive integers separated by a comma", []string{strings.Replace(connect12, "\n\n", "\nheart-beat:a,b\n\n", 1)}, []string{"ERROR"}},
	{"heart-beat is answered", "1.2 Heart-beating: the server's numbers stand in CONNECTED", in(strings.Replace(connect12, "\n\n", "\nheart-beat:0,0\n\n", 1)), []string{"CONNECTED heart-beat:*", bye}},
	{"EOLs between frames", "1.2 Augmented BNF: frames may be followed by EOLs", in("\n\n"+connect12, "\n\r\n\n"), []string{in12, bye}},
	{"CRLF", "1.2 Changes: EOL may be CRLF", in(connect12, "SEND\r\ndestination:{d}\r\nreceipt:r\r\n\r\nx^@"), []string{in12, "RECEIPT receipt-id:r", bye}},
	{
		"escapes of 1.2", "1.2 Value Encoding: \\r, \\n, \\c, \\\\",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\nown:a\\cb\\\\\n\nx^@"),
		[]string{in12, "MESSAGE own:a:b\\ subscription:a destination:{d} message-id:* |x", bye},
	},
	{"undefined escape", "1.2 Value Encoding: undefined escape sequences MUST be treated as fatal", in(connect12, "SEND\ndestination:{d}\nown:a\\tb\n\nx^@"), []string{in12, "ERROR"}},
	{"\\r in 1.1", "1.1 Value Encoding: undefined escape sequences MUST be treated as fatal", in(connect11, "SEND\ndestination:{d}\nown:a\\rb\n\nx^@"), []string{in11, "ERROR"}},
	{"header without colon", "1.2 Augmented BNF: header = header-name \":\" header-value", in(connect12, "SEND\ndestination:{d}\nnonsense\n\nx^@"), []string{in12, "ERROR"}},
	{"empty header name", "1.2 Augmented BNF: header-name = 1*<any OCTET …>", in(connect12, "SEND\ndestination:{d}\n:x\n\nx^@"), []string{in12, "ERROR"}},
	{
		"repeated header", "1.2 Repeated Header Entries: only the first header entry SHOULD be used",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\ndestination:/queue/other\nown:1\nown:2\n\nx^@"),
		[]string{in12, "MESSAGE own:1 destination:{d} |x", bye},
	},
	{"unknown command", "1.2 Augmented BNF: client-command", in(connect12, "SHOUT\n\n^@"), []string{in12, "ERROR"}},
	{"lower case command", "1.2 Augmented BNF: commands are case sensitive", in(connect12, "send\ndestination:{d}\n\nx^@"), []string{in12, "ERROR"}},
	{
		"content-length counts octets", "1.2 Header content-length: octet count",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\ncontent-length:4\n\n\xc3\x84^@x^@"),
		[]string{in12, "MESSAGE content-length:4 |\xc3\x84^@x", bye},
	},
	{"content-length too short", "1.2 Body: this number of octets MUST be read, then NUL", in(connect12, "SEND\ndestination:{d}\ncontent-length:1\n\nabc^@"), []string{in12, "ERROR"}},
	{"negative content-length", "1.2 Header content-length: octet count", in(connect12, "SEND\ndestination:{d}\ncontent-length:-1\n\nabc^@"), []string{in12, "ERROR"}},
	{"body of SUBSCRIBE", "1.2 Body: only SEND, MESSAGE and ERROR MAY have a body; all others MUST NOT", in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\nbody^@"), []string{in12, "ERROR"}},
	{
		"content-type", "1.2 SEND: user defined headers and content-type",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\ncontent-type:text/x;charset=utf-8\n\nx^@"),
		[]string{in12, "MESSAGE content-type:text/x;charset=utf-8", bye},
	},
	{
		"reserved headers", "1.2 MESSAGE: subscription and message-id are the server's",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\nsubscription:forged\nmessage-id:forged\nack:forged\nreceipt:r\npasscode:secret\n\nx^@"),
		[]string{in12, "MESSAGE subscription:a !ack !receipt !passcode", "RECEIPT receipt-id:r", bye},
	},
	{"SEND without destination", "1.2 SEND: one REQUIRED header, destination", in(connect12, "SEND\n\nx^@"), []string{in12, "ERROR"}},
	{"SUBSCRIBE without destination", "1.2 SUBSCRIBE: requires destination", in(connect12, "SUBSCRIBE\nid:a\n\n^@"), []string{in12, "ERROR"}},
	{"SUBSCRIBE without id", "1.2 SUBSCRIBE Header id: an id header MUST be included", in(connect12, "SUBSCRIBE\ndestination:{d}\n\n^@"), []string{in12, "ERROR"}},
	{
		"the same id twice", "1.2 SUBSCRIBE Header id: different subscriptions MUST use different ids",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "SUBSCRIBE\nid:a\ndestination:{q}\n\n^@"),
		[]string{in12, "ERROR"},
	},
	{"unknown ack mode", "1.2 SUBSCRIBE Header ack: auto, client or client-individual", in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nack:maybe\n\n^@"), []string{in12, "ERROR"}},
	{
		"ack header", "1.2 MESSAGE: ack, if the subscription needs explicit acknowledgment",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nack:client\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{in12, "MESSAGE ack:*", bye},
	},
	{
		"receipts of all frames", "1.2 Header receipt: any client frame other than CONNECT",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\nreceipt:1\n\n^@", "BEGIN\ntransaction:t\nreceipt:2\n\n^@",
			"ABORT\ntransaction:t\nreceipt:3\n\n^@", "UNSUBSCRIBE\nid:a\nreceipt:4\n\n^@", "SEND\ndestination:{d}\nreceipt:5\n\nx^@"),
		[]string{in12, "RECEIPT receipt-id:1", "RECEIPT receipt-id:2", "RECEIPT receipt-id:3", "RECEIPT receipt-id:4", "RECEIPT receipt-id:5", bye},
	},
	{"receipt of a refused frame", "1.2 ERROR: SHOULD set receipt-id", in(connect12, "ACK\nid:nonsense\nreceipt:r\n\n^@"), []string{in12, "ERROR receipt-id:r message:*"}},
	{"ACK of nothing", "1.2 ACK: id MUST match the ack header of a MESSAGE", in(connect12, "ACK\nid:nonsense\n\n^@"), []string{in12, "ERROR"}},
	{"NACK of nothing", "1.2 NACK: the opposite of ACK, the same headers", in(connect12, "NACK\nid:nonsense\n\n^@"), []string{in12, "ERROR"}},
	{"BEGIN without name", "1.2 BEGIN: the transaction header is REQUIRED", in(connect12, "BEGIN\n\n^@"), []string{in12, "ERROR"}},
	{"BEGIN twice", "1.2 BEGIN: different transactions MUST use different identifiers", in(connect12, "BEGIN\ntransaction:t\n\n^@", "BEGIN\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"COMMIT of nothing", "1.2 COMMIT: the identifier of the transaction to commit", in(connect12, "COMMIT\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"ABORT of nothing", "1.2 ABORT: the identifier of the transaction to abort", in(connect12, "ABORT\ntransaction:t\n\n^@"), []string{in12, "ERROR"}},
	{"SEND in no transaction", "1.2 BEGIN: frames bound to a transaction that was begun", in(connect12, "SEND\ndestination:{d}\ntransaction:t\n\nx^@"), []string{in12, "ERROR"}},
	{
		"COMMIT in order", "1.2 BEGIN: processed atomically",
		in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "BEGIN\ntransaction:t\n\n^@", "SEND\ndestination:{d}\ntransaction:t\n\n1^@",
			"SEND\ndestination:{d}\ntransaction:t\n\n2^@", "SEND\ndestination:{d}\n\n0^@", "COMMIT\ntransaction:t\n\n^@"),
		[]string{in12, "MESSAGE |0", "MESSAGE |1", "MESSAGE |2", bye},
	},
	{"UNSUBSCRIBE", "1.2 UNSUBSCRIBE: removes the subscription", in(connect12, "SUBSCRIBE\nid:a\ndestination:{d}\n\n^@", "UNSUBSCRIBE\nid:a\n\n^@", "SEND\ndestination:{d}\n\nx^@"), []string{in12, bye}},
	{"frame over messages", "1.2 over WebSocket: a frame may be cut", in(connect12, "SEND\ndesti", "nation:{d}\nreceipt:r\n", "\nx", "^@"), []string{in12, "RECEIPT receipt-id:r", bye}},
	{"frames in one message", "1.2 over WebSocket: frames may be joined", in(connect12 + "SEND\ndestination:{d}\nreceipt:1\n\nx^@\n\nSEND\ndestination:{d}\nreceipt:2\n\nx^@"), []string{in12, "RECEIPT receipt-id:1", "RECEIPT receipt-id:2", bye}},
	{
		"1.0 without id", "1.0 SUBSCRIBE: destination alone",
		in(connect10, "SUBSCRIBE\ndestination:{d}\n\n^@", "SEND\ndestination:{d}\n\nx^@"),
		[]string{"CONNECTED", "MESSAGE destination:{d} |x", bye},
	},
	{
		"after DISCONNECT", "1.2 DISCONNECT: clients MUST NOT send any more frames",
		[]string{connect12, goodbye, "SHOUT\n\n^@"},
		[]string{in12, bye},
	},
}
