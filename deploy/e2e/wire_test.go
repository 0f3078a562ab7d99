package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fliliy/chat/deploy/stompwire"
)

// wire is a client that sends exactly the octets it is told to and shows every frame that comes back.
type wire struct {
	t      *testing.T
	ctx    context.Context
	socket *websocket.Conn
}

func dialWire(t *testing.T, url string) *wire {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	socket, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v", url, err)
	}
	socket.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = socket.CloseNow() })
	return &wire{t, ctx, socket}
}

// login dials a gateway and connects.
func login(t *testing.T, url string, who person) *wire {
	t.Helper()
	w := dialWire(t, url)
	w.send("CONNECT\naccept-version:1.2\nhost:chat\ntoken:" + who.token + "\n\n\x00")
	w.expect("CONNECTED")
	return w
}

// send sends each string as one WebSocket text message.
func (w *wire) send(messages ...string) {
	w.t.Helper()
	for _, message := range messages {
		if err := w.socket.Write(w.ctx, websocket.MessageText, []byte(message)); err != nil {
			w.t.Fatalf("send %.60q: %v", message, err)
		}
	}
}

// next returns the next frame, or nil and the close code once the socket is closed. It passes over who is online: that
// comes at any time.
func (w *wire) next() (*frame.Frame, websocket.StatusCode) {
	w.t.Helper()
	for {
		got, code := w.any()
		if got == nil {
			return nil, code
		}
		if kind := got.Header.Get("event"); kind != "PRESENCE" && kind != "USER_STATUS" {
			return got, code
		}
	}
}

// any is next without passing over anything.
func (w *wire) any() (*frame.Frame, websocket.StatusCode) {
	w.t.Helper()
	got, code, err := stompwire.Next(w.ctx, w.socket)
	if err != nil {
		w.t.Fatal(err)
	}
	return got, code
}

// expect returns the next frame, which has to be of this command.
func (w *wire) expect(command string) *frame.Frame {
	w.t.Helper()
	got, code := w.next()
	if got == nil {
		w.t.Fatalf("closed with %d, want %s", code, command)
	}
	if got.Command != command {
		w.t.Fatalf("got %s %v %s, want %s", got.Command, got.Header, got.Body, command)
	}
	return got
}

// event returns the JSON of the next MESSAGE frame of a kind, passing over other MESSAGE frames.
func (w *wire) event(kind string) map[string]any {
	w.t.Helper()
	for {
		got, code := w.any()
		if got == nil || got.Command != "MESSAGE" {
			w.t.Fatalf("got %v, closed with %d; want a MESSAGE with %s", got, code, kind)
		}
		if got.Header.Get("event") != kind {
			continue
		}
		var event map[string]any
		if err := json.Unmarshal(got.Body, &event); err != nil {
			w.t.Fatalf("%s event is no JSON: %v", kind, err)
		}
		return event
	}
}

// receipt waits for a RECEIPT, passing over MESSAGE frames.
func (w *wire) receipt(id string) *frame.Frame {
	w.t.Helper()
	for {
		got, code := w.next()
		switch {
		case got == nil:
			w.t.Fatalf("closed with %d, want RECEIPT %s", code, id)
		case got.Command == "MESSAGE":
		case got.Command == "RECEIPT" && got.Header.Get("receipt-id") == id:
			return got
		default:
			w.t.Fatalf("got %s %v %s, want RECEIPT %s", got.Command, got.Header, got.Body, id)
		}
	}
}

// subscribe subscribes and returns when that is live.
func (w *wire) subscribe(id, destination string, headers ...string) {
	w.t.Helper()
	extra := ""
	for _, header := range headers {
		extra += header + "\n"
	}
	w.send("SUBSCRIBE\nid:" + id + "\ndestination:" + destination + "\nreceipt:sub-" + id + "\n" + extra + "\n\x00")
	w.receipt("sub-" + id)
}

// say sends one message and returns its RECEIPT.
func (w *wire) say(room, content, clientMessageID string) *frame.Frame {
	w.t.Helper()
	body, err := json.Marshal(map[string]string{"type": "TEXT", "content": content, "clientMessageId": clientMessageID})
	if err != nil {
		w.t.Fatal(err)
	}
	receipt := "say-" + strings.ReplaceAll(clientMessageID, ":", "-")
	w.send("SEND\ndestination:/app/chat/" + room + "/send\ncontent-type:application/json\nreceipt:" + receipt + "\n\n" +
		string(body) + "\x00")
	return w.receipt(receipt)
}
