// Package probe is a client that tries a gateway once, over the network as any client does: it connects, enters a room,
// sends a message and waits until it comes back. Command gateway probe runs it, for scripts and operators. It is no
// library for clients, and no part of a gateway that serves.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/fliliy/chat/gateway/internal/stomp"
)

// maxFrame is the largest message taken from the gateway, in bytes.
const maxFrame = 1 << 20

// Options say what to try. The context of Run bounds how long it may take.
type Options struct {
	// BaseURL is the gateway's, such as http://127.0.0.1:8080; its WebSocket is /ws below it.
	BaseURL string
	// Token is the user's who tries; she is a member of the room.
	Token string
	Room  int64
	// Content of the message.
	Content string
}

// Result is what was seen on the way, and how long the two answers to the message took.
type Result struct {
	User      string   `json:"user"`
	Server    string   `json:"server"`
	Session   string   `json:"session"`
	Version   string   `json:"version"`
	MessageID string   `json:"messageId"`
	Seq       int64    `json:"seq"`
	ReceiptMS float64  `json:"receiptMs"`
	MessageMS float64  `json:"messageMs"`
	Online    []string `json:"online"` // who is online in the room, as the gateway said; empty when it did not
}

// Run makes one round trip. The error says which step went wrong, and why in the gateway's words where it gave any.
func Run(ctx context.Context, opts Options) (*Result, error) {
	address, err := socketURL(opts.BaseURL)
	if err != nil {
		return nil, err
	}
	//nolint:bodyclose // Dial has closed it, and keeps its beginning
	socket, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		Subprotocols: []string{"v12.stomp"},
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + opts.Token}},
	})
	if err != nil {
		return nil, fmt.Errorf("open a WebSocket to %s: %w", address, refusal(response, err))
	}
	defer func() { _ = socket.CloseNow() }() // after a good end it is closed already
	socket.SetReadLimit(maxFrame)
	trip := &trip{opts: opts, socket: socket, decoder: stomp.NewDecoder(stomp.Limits{
		MaxBody: maxFrame, MaxHeaders: 100, MaxHeaderLine: 8 << 10,
	})}
	if err := trip.make(ctx); err != nil {
		return nil, err
	}
	_ = socket.Close(websocket.StatusNormalClosure, "") // what was to be seen has been seen
	return &trip.result, nil
}

// socketURL is the WebSocket of a gateway.
func socketURL(base string) (string, error) {
	address, err := url.Parse(base)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return "", fmt.Errorf("%q is not the address of a gateway, such as http://127.0.0.1:8080", base)
	}
	address.Scheme = strings.Replace(address.Scheme, "http", "ws", 1)
	return address.JoinPath("ws").String(), nil
}

// refusal is what a gateway says in the body of a refused handshake, with its status; or the error of the dialer.
func refusal(response *http.Response, err error) error {
	if response == nil || response.Body == nil {
		return err
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // the dialer keeps the beginning of it
	var said struct{ Code, Message string }
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		return err
	}
	return fmt.Errorf("%s: %s: %s", response.Status, said.Code, said.Message)
}

// trip is one round trip under way.
type trip struct {
	opts    Options
	socket  *websocket.Conn
	decoder *stomp.Decoder
	result  Result

	clientMessageID string
	sentAt          time.Time
	stored, back    bool
}

const (
	subscribing = "subscribe"
	sending     = "send"
)

func (t *trip) make(ctx context.Context) error {
	if err := t.connect(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := t.subscribe(ctx); err != nil {
		return fmt.Errorf("subscribe to room %d: %w", t.opts.Room, err)
	}
	if err := t.send(ctx); err != nil {
		return fmt.Errorf("send to room %d: %w", t.opts.Room, err)
	}
	return nil
}

func (t *trip) connect(ctx context.Context) error {
	t.decoder.SetVersion(stomp.V12)
	if err := t.write(ctx, stomp.CmdConnect, nil,
		stomp.Field{Key: "accept-version", Value: "1.2"}, stomp.Field{Key: "host", Value: "fliliy"},
		stomp.Field{Key: "heart-beat", Value: "0,0"}); err != nil {
		return err
	}
	frame, err := t.next(ctx)
	if err != nil {
		return err
	}
	if frame.Command != stomp.CmdConnected {
		return fmt.Errorf("want CONNECTED, got %s", frame.Command)
	}
	t.result.User, t.result.Server = frame.Header.Get("user-name"), frame.Header.Get("server")
	t.result.Session, t.result.Version = frame.Header.Get("session"), frame.Header.Get("version")
	return nil
}

func (t *trip) subscribe(ctx context.Context) error {
	if err := t.write(ctx, stomp.CmdSubscribe, nil,
		stomp.Field{Key: "id", Value: "room"}, stomp.Field{Key: "receipt", Value: subscribing},
		stomp.Field{Key: "destination", Value: "/topic/chat/" + strconv.FormatInt(t.opts.Room, 10)}); err != nil {
		return err
	}
	for {
		frame, err := t.next(ctx)
		if err != nil {
			return err
		}
		if frame.Command == stomp.CmdReceipt && frame.Header.Get("receipt-id") == subscribing {
			return nil
		}
	}
}

// send sends the message and waits for both answers, and for the word of who is online.
func (t *trip) send(ctx context.Context) error {
	t.clientMessageID = "probe-" + rand.Text()
	body, err := json.Marshal(map[string]string{
		"type": "TEXT", "content": t.opts.Content, "clientMessageId": t.clientMessageID,
	})
	if err != nil {
		return fmt.Errorf("make the message: %w", err)
	}
	t.sentAt = time.Now()
	if err := t.write(ctx, stomp.CmdSend, body,
		stomp.Field{Key: "destination", Value: "/app/chat/" + strconv.FormatInt(t.opts.Room, 10) + "/send"},
		stomp.Field{Key: "content-type", Value: "application/json"}, stomp.Field{Key: "receipt", Value: sending}); err != nil {
		return err
	}
	for !t.stored || !t.back || len(t.result.Online) == 0 {
		frame, err := t.next(ctx)
		if err != nil && t.stored && t.back {
			return nil // presence is a hint, and the result says that it was not there
		}
		if err != nil {
			return t.missing(err)
		}
		if err := t.take(frame); err != nil {
			return err
		}
	}
	return nil
}

// missing says which of the answers did not come.
func (t *trip) missing(err error) error {
	if t.stored {
		return fmt.Errorf("the message is stored as #%d, and did not come back: %w", t.result.Seq, err)
	}
	return fmt.Errorf("no RECEIPT: %w", err)
}

// take takes a frame that comes after the message was sent.
func (t *trip) take(frame *stomp.Frame) error {
	took := float64(time.Since(t.sentAt).Microseconds()) / 1000
	if frame.Command == stomp.CmdReceipt {
		seq, err := strconv.ParseInt(frame.Header.Get("seq"), 10, 64)
		if err != nil {
			return fmt.Errorf("the RECEIPT says no seq: %w", err)
		}
		t.stored, t.result.ReceiptMS, t.result.Seq = true, took, seq
		t.result.MessageID = frame.Header.Get("message-id")
		return nil
	}
	var event struct {
		Event, ClientMessageID string
		Online                 []struct{ UserID string }
	}
	if err := json.Unmarshal(frame.Body, &event); err != nil {
		return fmt.Errorf("the body of a %s is no JSON: %w", frame.Command, err)
	}
	if event.Event == "MESSAGE" && event.ClientMessageID == t.clientMessageID {
		t.back, t.result.MessageMS = true, took
	}
	for _, user := range event.Online {
		t.result.Online = append(t.result.Online, user.UserID)
	}
	return nil
}

func (t *trip) write(ctx context.Context, command string, body []byte, header ...stomp.Field) error {
	frame := stomp.AppendFrame(nil, stomp.V12, &stomp.Frame{Command: command, Header: header, Body: body})
	if err := t.socket.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write %s: %w", command, err)
	}
	return nil
}

// next is the next frame. An ERROR, and the end of the connection, are errors in the gateway's words.
func (t *trip) next(ctx context.Context) (*stomp.Frame, error) {
	for {
		frame, err := t.decoder.Next()
		switch {
		case err != nil:
			return nil, fmt.Errorf("read a frame: %w", err)
		case frame == nil:
			_, octets, err := t.socket.Read(ctx)
			if err != nil {
				return nil, ended(ctx, err)
			}
			t.decoder.Feed(octets)
		case frame.Command == stomp.CmdError:
			return nil, fmt.Errorf("%s: %s", frame.Header.Get("message"), strings.TrimSpace(string(frame.Body)))
		default:
			return frame, nil
		}
	}
}

// ended says how the connection ended.
func ended(ctx context.Context, err error) error {
	if closed := (websocket.CloseError{}); errors.As(err, &closed) {
		return fmt.Errorf("the gateway closed the connection (%d %s)", closed.Code, closed.Reason)
	}
	if ctx.Err() != nil {
		return errors.New("no answer in time")
	}
	return err
}
