package conformance_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const everySide = "S12 Heart-beating: the sender MUST send at least every so many ms, the receiver may close after more"

// connectWith sends CONNECT and reads CONNECTED.
func connectWith(t *testing.T, connect string) *talk {
	t.Helper()
	c := dial(t)
	if err := c.send(strings.ReplaceAll(connect, "^@", "\x00")); err != nil {
		t.Fatal(err)
	}
	c.await(1)
	if len(c.seen) == 0 || c.seen[0].command != "CONNECTED" {
		t.Fatalf("%v, %s, want CONNECTED", c.seen, c.ended)
	}
	return c
}

// TestServerBeats: the server sends end-of-lines when it has nothing else to say.
func TestServerBeats(t *testing.T) {
	t.Parallel()
	v := verdict{t, "time: beats of the server", everySide}
	c := connectWith(t, with(connect12, "heart-beat:0,1000"))
	for range 2 {
		_, beat, err := c.socket.Read(c.ctx)
		if err != nil || string(beat) != "\n" {
			v.fails("got %q (%v), want one LF", beat, err)
			return
		}
	}
}

// TestClientSilence: a client that promised to beat and does not is cut off.
func TestClientSilence(t *testing.T) {
	t.Parallel()
	v := verdict{t, "time: a client that does not beat", everySide}
	c := connectWith(t, with(connect12, "heart-beat:1000,0"))
	for c.ended == "" {
		c.next()
	}
	if !strings.HasPrefix(c.ended, "closed") {
		v.fails("%s, want a close", c.ended)
	}
}

// TestClientBeats: a client that beats, and does nothing else, stays for longer than a silent one.
func TestClientBeats(t *testing.T) {
	t.Parallel()
	v := verdict{t, "time: a client that beats", everySide}
	c := connectWith(t, with(connect12, "heart-beat:500,0"))
	beats := time.NewTicker(400 * time.Millisecond)
	defer beats.Stop()
	for range 10 {
		<-beats.C
		if err := c.send("\n"); err != nil {
			v.fails("%v", err)
			return
		}
	}
	if err := c.send(strings.ReplaceAll(goodbye, "^@", "\x00")); err != nil {
		v.fails("%v", err)
		return
	}
	for c.ended == "" {
		c.next()
	}
	if c.ended != "bye" && c.ended != "closed with 1000" {
		v.fails("%s, want the RECEIPT of DISCONNECT", c.ended)
	}
}

// TestPingsAreNoBeats: a client that only pings is silent, as far as STOMP can see.
func TestPingsAreNoBeats(t *testing.T) {
	t.Parallel()
	v := verdict{t, "time: a client that pings instead", "S12 Heart-beating: a heart-beat is an EOL, or any frame"}
	c := connectWith(t, with(connect12, "heart-beat:1000,0"))
	go func() {
		for c.socket.Ping(c.ctx) == nil {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-c.ctx.Done():
			}
		}
	}()
	for c.ended == "" {
		c.next()
	}
	if !strings.HasPrefix(c.ended, "closed") {
		v.fails("%s, want a close", c.ended)
	}
}

// TestSlowConnect: who opens a connection and does not log in is not kept; nor who dribbles.
func TestSlowConnect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, drop string }{{"says nothing", ""}, {"dribbles", "\n"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := verdict{t, "time: a stranger who " + c.name, "S12 Connecting: the client sends CONNECT; S12 Size Limits: servers MAY guard themselves"}
			talk := dialFor(t, patience) // a time that nobody says beforehand
			go func() {
				for c.drop != "" && talk.send(c.drop) == nil {
					select {
					case <-time.After(500 * time.Millisecond):
					case <-talk.ctx.Done():
					}
				}
			}()
			for talk.ended == "" {
				talk.next()
			}
			if !strings.HasPrefix(talk.ended, "closed") || len(talk.seen) != 1 || talk.seen[0].command != "ERROR" {
				v.fails("%v, %s, want ERROR and a close", talk.seen, talk.ended)
			}
		})
	}
}

// TestLingering: the connection ends although the client neither answers the close frame nor closes.
func TestLingering(t *testing.T) {
	t.Parallel()
	v := verdict{t, "time: a client that does not answer the close", "S12 Connection Lingering; RFC 6455 7.1.1: the server closes the TCP connection"}
	conn, r := dialRaw(t, stomp)
	if _, err := conn.Write(text("SHOUT\n\n\x00").octets()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Log(err)
		v.fails("the connection stays, want its end")
	}
}

// TestServerSpeaksText: what is UTF-8 goes out as text, so that every client can read it, other octets as binary.
func TestServerSpeaksText(t *testing.T) {
	t.Parallel()
	v := verdict{t, "output: text and binary", "RFC 6455 5.6: text is UTF-8, binary is anything"}
	for _, c := range []struct {
		body string
		kind websocket.MessageType
	}{{"你好", websocket.MessageText}, {"\xff", websocket.MessageBinary}} {
		kind, message := deliveredTo(t, connect12, "SEND\ndestination:{d}\ncontent-length:*\n\n"+c.body+"\x00")
		if kind != c.kind || !strings.HasSuffix(strings.TrimRight(message, "\n"), "\n\n"+c.body+"\x00") {
			t.Logf("%q", message)
			v.fails("%q came as %v, want %v", c.body, kind, c.kind)
		}
	}
}
