package e2e_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-stomp/stomp/v3/frame"
)

// The rest of the protocol's checklist (gateway/PROTOCOL.md) that only the whole system can show.

// TestSubprotocolDoesNotDecideTheVersion: the subprotocol is the WebSocket's affair, accept-version decides.
func TestSubprotocolDoesNotDecideTheVersion(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		alice := s.people(t, "alice")[0]
		for _, tc := range []struct{ offered, chosen, accept, version string }{
			{"v10.stomp", "v10.stomp", "accept-version:1.2\n", "1.2"},
			{"v12.stomp", "v12.stomp", "", "1.0"},
			{"v10.stomp,v11.stomp,v12.stomp", "v12.stomp", "accept-version:1.0,1.1\n", "1.1"},
			{"mqtt", "", "accept-version:1.1\n", "1.1"},
		} {
			socket, _, err := websocket.Dial(t.Context(), s.wsURL(0)+"/websocket?token="+alice.token,
				&websocket.DialOptions{Subprotocols: strings.Split(tc.offered, ",")})
			if err != nil {
				t.Fatalf("offer %s: %v", tc.offered, err)
			}
			w := &wire{t, t.Context(), socket}
			w.send("CONNECT\n" + tc.accept + "host:chat\n\n\x00")
			connected := w.expect("CONNECTED")
			if got := connected.Header.Get("version"); got != tc.version || socket.Subprotocol() != tc.chosen {
				t.Errorf("offer %s, %q: subprotocol %q, version %s; want %q and %s",
					tc.offered, tc.accept, socket.Subprotocol(), got, tc.chosen, tc.version)
			}
			if connected.Header.Get("user-name") != alice.id || connected.Header.Get("server") == "" ||
				connected.Header.Get("session") == "" || connected.Header.Get("heart-beat") != "10000,10000" {
				t.Errorf("CONNECTED %v", connected.Header)
			}
			_ = socket.CloseNow()
		}
	})
}

// TestNothingOfASendIsEchoed: a MESSAGE has the headers of the contract and no other, whatever its SEND claimed, and
// names the sender that the token names.
func TestNothingOfASendIsEchoed(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		b := login(t, s.wsURL(1), bob)
		b.subscribe("room", "/topic/chat/"+room)
		a := login(t, s.wsURL(0), alice)
		a.send("SEND\ndestination:/app/chat/" + room + "/send\ndestination:/topic/chat/1\ncontent-type:text/plain\n" +
			"message-id:forged\nsubscription:forged\nack:forged\nreceipt:r\nlogin:alice\npasscode:secret\ntoken:secret\n" +
			"Authorization:Bearer secret\nuser-name:carol\nsenderId:carol\nsimpUser:carol\nevent:FORGED\nseq:99\n" +
			"timestamp:1\nx-own:mine\n" + `x-evil:a\nsubscription\cforged` + "\n\nhello\x00")
		stored := a.receipt("r")
		got := b.expect("MESSAGE")
		want := map[string]string{
			"subscription": "room", "destination": "/topic/chat/" + room, "message-id": stored.Header.Get("message-id"),
			"content-type": "application/json", "event": "MESSAGE", "seq": "1", "content-length": got.Header.Get("content-length"),
		}
		headers := map[string]string{}
		for i := range got.Header.Len() {
			key, value := got.Header.GetAt(i)
			headers[key] = value
		}
		if !maps.Equal(headers, want) || got.Header.Len() != len(want) {
			t.Errorf("headers %v\nwant %v", headers, want)
		}
		var event map[string]any
		if err := json.Unmarshal(got.Body, &event); err != nil {
			t.Fatal(err)
		}
		fields := slices.Sorted(maps.Keys(event))
		if names := "chatRoomId content event messageId senderId sentAt seq type"; strings.Join(fields, " ") != names ||
			event["senderId"] != alice.id || event["content"] != "hello" || event["seq"] != 1.0 {
			t.Errorf("event %v, want the fields %s, of alice", event, names)
		}
		if bytes.Contains(got.Body, []byte("secret")) || bytes.Contains(got.Body, []byte("carol")) {
			t.Errorf("event %s shows what headers claimed", got.Body)
		}
	})
}

// TestContentTypes: without content-type a body is JSON, text/plain is the text of a message, in UTF-8.
func TestContentTypes(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		w := login(t, s.wsURL(0), p[0])
		w.subscribe("errors", "/user/queue/errors")
		w.subscribe("room", "/topic/chat/"+room)
		for _, tc := range []struct{ contentType, body, content string }{ // content "": refused
			{"", `{"type":"TEXT","content":"json"}`, "json"},
			{"application/json", `{"type":"TEXT","content":"Ä 你好 🚲"}`, "Ä 你好 🚲"},
			{"application/json;charset=UTF-8", `{"type":"TEXT","content":"utf"}`, "utf"},
			{"text/plain", `{"type":"TEXT"}`, `{"type":"TEXT"}`},
			{"text/plain; charset=utf-8", "Ä 你好", "Ä 你好"},
			{"text/plain", "\xff\xfe", ""},
			{"text/plain;charset=gbk", "\xc4\xe3", ""},
			{"image/png", "x", ""},
			{"", "plain", ""},
		} {
			octets := "SEND\ndestination:/app/chat/" + room + "/send\n"
			if tc.contentType != "" {
				octets += "content-type:" + tc.contentType + "\n"
			}
			if err := w.socket.Write(w.ctx, websocket.MessageBinary, []byte(octets+"\n"+tc.body+"\x00")); err != nil {
				t.Fatal(err)
			}
			got := w.expect("MESSAGE")
			if got.Header.Get("content-type") != "application/json" {
				t.Errorf("%q: MESSAGE of type %q", tc.contentType, got.Header.Get("content-type"))
			}
			var event struct{ Event, Code, Content string }
			if err := json.Unmarshal(got.Body, &event); err != nil {
				t.Fatalf("%q: %v", tc.contentType, err)
			}
			if tc.content == "" && event.Code != "INVALID" || tc.content != "" && event.Content != tc.content {
				t.Errorf("%q %q: %+v, want content %q", tc.contentType, tc.body, event, tc.content)
			}
		}
	})
}

// TestFramesAndMessagesNeedNotMatch: a frame may span WebSocket messages, cut anywhere if they are binary, and a
// message may hold many frames, or nothing but ends of line; text and binary may alternate.
func TestFramesAndMessagesNeedNotMatch(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		send := func(receipt, content string) string {
			return "SEND\ndestination:/app/chat/" + room + "/send\ncontent-type:text/plain\nreceipt:" + receipt + "\n\n" +
				content + "\x00"
		}
		w := login(t, s.wsURL(0), p[0])
		write := func(kind websocket.MessageType, octets string) {
			t.Helper()
			if err := w.socket.Write(w.ctx, kind, []byte(octets)); err != nil {
				t.Fatal(err)
			}
		}
		long := strings.Repeat("Ä你🚲x", 1500)
		for part := range slices.Chunk([]byte(send("1", long)), 17) { // cuts headers and characters
			write(websocket.MessageBinary, string(part))
		}
		for part := range slices.Chunk([]rune(send("2", long)), 4000) { // as stompjs splits large frames
			write(websocket.MessageText, string(part))
		}
		write(websocket.MessageText, "\n\r\n")
		write(websocket.MessageText, "\n"+send("3", "three")+"\r\n\n"+send("4", "four")+send("5", "five")[:20])
		write(websocket.MessageBinary, send("5", "five")[20:])
		for i, receipt := range strings.Fields("1 2 3 4 5") {
			if got := w.receipt(receipt).Header.Get("seq"); got != receipt {
				t.Errorf("message %d has seq %s", i+1, got)
			}
		}
		for i, want := range []string{long, long, "three", "four", "five"} {
			if got := s.history(t, p[1], room)[i].(map[string]any)["content"]; got != want {
				t.Errorf("message %d arrived changed: %.60q, want %.60q", i+1, got, want)
			}
		}
	})
}

// TestVersionsMeetInOneRoom: clients of all versions follow one room, each by the rules of its own.
func TestVersionsMeetInOneRoom(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		alice, bob := p[0], p[1]
		room := s.room(t, alice, bob)
		a := login(t, s.wsURL(0), alice)
		for i, tc := range []struct{ connect, subscribe, subscription string }{
			{"", "", "/topic/chat/" + room},
			{"accept-version:1.1\n", `id:a\cb` + "\nack:client\n", "a:b"},
			{"accept-version:1.2\n", `id:a\cb\r` + "\nack:client-individual\n", "a:b\r"},
		} {
			w := dialWire(t, s.wsURL(1))
			w.send("CONNECT\n"+tc.connect+"host:chat\npasscode:"+bob.token+"\n\n\x00",
				"SUBSCRIBE\ndestination:/topic/chat/"+room+"\nreceipt:live\n"+tc.subscribe+"\n\x00")
			version := w.expect("CONNECTED").Header.Get("version")
			w.receipt("live")
			a.say(room, "hello", string(rune('a'+i)))
			var got *frame.Frame
			for got == nil || got.Header.Get("event") != "MESSAGE" {
				got = w.expect("MESSAGE")
			}
			ack, isAcked := got.Header.Contains("ack")
			if got.Header.Get("subscription") != tc.subscription || got.Header.Get("message-id") == "" ||
				isAcked != (version == "1.2") {
				t.Errorf("version %s: MESSAGE %v with ack %q", version, got.Header, ack)
			}
			w.send("DISCONNECT\nreceipt:bye\n\n\x00")
			w.receipt("bye")
			if got, code := w.next(); got != nil || code != websocket.StatusNormalClosure {
				t.Errorf("version %s: after the RECEIPT of DISCONNECT came %v, close code %d; want 1000", version, got, code)
			}
		}
	})
}

// TestEveryDeviceOfAUser: what goes to a user reaches all her sessions, on all gateways, under the destination that she
// named; user ids may hold whatever has a meaning elsewhere.
func TestEveryDeviceOfAUser(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		for _, name := range []string{"bob", "a/b", "%2F", "x:y", "*.>", "你 好", "-user{session}"} {
			p := s.people(t, "alice", name)
			alice, bob := p[0], p[1]
			room := s.room(t, alice, bob)
			devices := []*wire{login(t, s.wsURL(0), bob), login(t, s.wsURL(1), bob), login(t, s.wsURL(1), bob)}
			for _, w := range devices {
				w.subscribe("inbox", "/user/queue/messages")
			}
			login(t, s.wsURL(0), alice).say(room, "to all of you", "1")
			for i, w := range devices {
				got := w.expect("MESSAGE")
				if got.Header.Get("destination") != "/user/queue/messages" || !strings.Contains(string(got.Body), "to all of you") {
					t.Errorf("user %q, device %d: %v %s", bob.id, i, got.Header, got.Body)
				}
			}
		}
	})
}

// TestSpringDestinationsOfBrokers: what a Spring broker offers beside the contract is refused, and says so.
func TestSpringDestinationsOfBrokers(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		w := login(t, s.wsURL(0), p[0])
		w.subscribe("errors", "/user/queue/errors")
		for i, destination := range []string{
			"/app/chat/" + room + "/send", "/topic/**", "/topic/chat/*", "/queue/messages", "/queue/messages-user1",
			"/user/" + p[1].id + "/queue/messages", "/user/queue/other", "/topic/chat/" + room + "/typing",
		} {
			w.send("SUBSCRIBE\nid:" + string(rune('a'+i)) + "\ndestination:" + destination + "\nreceipt:r\n\n\x00")
			if event := w.event("ERROR"); event["code"] != "INVALID" || event["destination"] != destination ||
				event["receiptId"] != "r" {
				t.Errorf("SUBSCRIBE %s: %v, want INVALID", destination, event)
			}
		}
	})
}

// TestBadInputOnTheWire is what TestBadFrames leaves out: frames whose end lies, and strangers who send too much.
func TestBadInputOnTheWire(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		p := s.people(t, "alice", "bob")
		room := s.room(t, p[0], p[1])
		neighbour := login(t, s.wsURL(0), p[1])
		connect := "CONNECT\naccept-version:1.2\nhost:chat\ntoken:" + p[0].token + "\n\n\x00"
		send := "SEND\ndestination:/app/chat/" + room + "/send\nreceipt:r\n"
		for name, tc := range map[string]struct {
			sent      []string
			code      websocket.StatusCode
			receiptID string
		}{
			"a NUL cuts the body":        {[]string{connect, send + "\n{\"type\":\"TEXT\",\"content\":\"a\x00b\"}\x00"}, 1002, "r"},
			"oversize body":              {[]string{connect, send + "\n" + strings.Repeat("x", 65<<10) + "\x00"}, 1009, "r"},
			"a body shorter than said":   {[]string{connect, send + "content-length:9\n\n{}\x00" + send + "\n\x00"}, 1002, "r"},
			"oversize header":            {[]string{connect, send + "x:" + strings.Repeat("x", 9<<10) + "\n\n\x00"}, 1009, ""},
			"101 headers":                {[]string{connect, send + strings.Repeat("x:y\n", 101) + "\n\x00"}, 1009, ""},
			"a stranger's large CONNECT": {[]string{"CONNECT\nx:" + strings.Repeat("x", 9<<10) + "\n\n\x00"}, 1009, ""},
			"a stranger in instalments": {
				[]string{"CONNECT\n", "a:" + strings.Repeat("x", 4<<10) + "\n", "b:" + strings.Repeat("x", 4<<10) + "\n"}, 1009, "",
			},
			"a stranger who only beats": {[]string{strings.Repeat("\n", 9<<10)}, 1009, ""},
		} {
			w := dialWire(t, s.wsURL(0))
			for _, message := range tc.sent {
				if err := w.socket.Write(w.ctx, websocket.MessageText, []byte(message)); err != nil {
					t.Fatal(err)
				}
				if message == connect {
					w.expect("CONNECTED")
				}
			}
			failure := w.expect("ERROR")
			if got := failure.Header.Get("receipt-id"); got != tc.receiptID || len(failure.Body) == 0 {
				t.Errorf("%s: ERROR %v %s, want receipt-id %q and a body", name, failure.Header, failure.Body, tc.receiptID)
			}
			if got, code := w.next(); got != nil || code != tc.code {
				t.Errorf("%s: then came %v, close code %d; want %d", name, got, code, tc.code)
			}
		}
		if got := neighbour.say(room, "undisturbed", "1").Header.Get("seq"); got != "1" {
			t.Errorf("the neighbour's first message has seq %s, want 1: something bad was stored", got)
		}
		status, _ := s.rest(t, p[0], http.MethodGet, "/api/v1/chat-rooms", nil)
		if status != http.StatusOK {
			t.Errorf("REST answers %d afterwards", status)
		}
	})
}
