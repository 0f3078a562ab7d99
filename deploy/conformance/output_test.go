package conformance_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// deliveredTo sends a frame as a client of 1.2 and returns the message it becomes for a subscriber, octet by octet.
// content-length:* is the body's.
func deliveredTo(t *testing.T, connect, send string) (websocket.MessageType, string) {
	t.Helper()
	destination := fmt.Sprintf("/topic/output.%d", time.Now().UnixNano())
	subscriber, sender := connectWith(t, connect), connectWith(t, connect12)
	if err := subscriber.send("SUBSCRIBE\nid:a\ndestination:" + destination + "\nreceipt:live\n\n\x00"); err != nil {
		t.Fatal(err)
	}
	subscriber.await(2)
	_, body, _ := strings.Cut(strings.TrimSuffix(send, "\x00"), "\n\n")
	send = strings.NewReplacer("{d}", destination, "content-length:*", "content-length:"+strconv.Itoa(len(body))).Replace(send)
	if err := sender.socket.Write(sender.ctx, websocket.MessageBinary, []byte(send)); err != nil {
		t.Fatal(err)
	}
	kind, message, err := subscriber.socket.Read(subscriber.ctx)
	if err != nil {
		return 0, err.Error()
	}
	return kind, string(message)
}

// TestOutputByVersion: header values reach a receiver as its version can carry them; what none can must not become
// lines of its own.
func TestOutputByVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, spec, connect string
		own                 string   // as a client of 1.2 writes it
		want                []string // one of these header lines; all of them are valid
	}{
		{"1.2 has all escapes", "S12 Value Encoding", connect12, `a\cb\nc\rd\\e`, []string{`own:a\cb\nc\rd\\e`}},
		{"1.1 has no escape of CR", "S11 Value Encoding: \\n, \\c, \\\\ only", connect11, `a\cb\nc\rd\\e`, []string{`own:a\cb\ncd\\e`, ""}},
		{"1.0 has no escapes", "S10 knows no escapes", connect10, `a\cb\\c`, []string{`own:a:b\c`}},
		{"1.0 gets no LF", "S10 knows no escapes", connect10, `a\nforged:1`, []string{"own:aforged:1", ""}},
		{"1.0 gets no CR", "S10 knows no escapes", connect10, `a\r\nb`, []string{"own:ab", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verdict{t, "output: " + c.name, c.spec}
			_, message := deliveredTo(t, c.connect, "SEND\ndestination:{d}\nown:"+c.own+"\n\nx\x00")
			head, _, _ := strings.Cut(message, "\n\n")
			line := ""
			for field := range strings.SplitSeq(head, "\n") {
				if strings.HasPrefix(field, "own:") {
					line = field
				} else if key, _, isField := strings.Cut(field, ":"); isField && key == "forged" || strings.Contains(field, "\r") {
					v.fails("the line %q was made by a value", field)
				}
			}
			for _, want := range c.want {
				if line == want {
					return
				}
			}
			v.fails("%q, want one of %q", line, c.want)
		})
	}
}

// TestConnectedIsNotEscaped: CONNECTED is for clients of 1.0, too, so that it has no escapes.
func TestConnectedIsNotEscaped(t *testing.T) {
	t.Parallel()
	v := verdict{t, "output: CONNECTED", "S12 Value Encoding: CONNECTED is not escaped"}
	c := dial(t)
	if err := c.send(strings.ReplaceAll(connect12, "^@", "\x00")); err != nil {
		t.Fatal(err)
	}
	_, message, err := c.socket.Read(c.ctx)
	if err != nil || strings.Contains(string(message), `\`) {
		v.fails("%q (%v)", message, err)
	}
}
