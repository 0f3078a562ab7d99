package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

const (
	maxMessage   = 1 << 20          // of a WebSocket message; a frame of the contract is smaller
	writeTimeout = 10 * time.Second // a gateway that takes no bytes for so long is lost
	byeTimeout   = time.Second      // for the close after DISCONNECT
	silences     = 2.5              // heart-beats that may be missing before the gateway counts as dead
)

// link is one connection. What changes is guarded by Client.mu, but for what only the reading goroutine touches.
type link struct {
	client *Client
	record *Connection
	socket *websocket.Conn
	buffer bytes.Buffer // of the message being read

	pending  map[string]func(reply) // by receipt id; each is called once, without mu
	receipts int                    // asked for so far
	subs     map[string]*follow     // by subscription id
	ended    bool

	beat     *time.Timer
	beatOut  time.Duration // between heart-beats to the gateway; 0: never
	beatIn   time.Duration // between those from it
	lastIn   time.Time
	drained  bool      // a DRAIN event came
	comeBack time.Time // which said not to come back before
}

// reply is how a frame that asked for a receipt was answered.
type reply struct {
	receipt frame         // a RECEIPT, valid during the call only
	code    string        // of a refusal; "" is none
	text    string        // of the refusal
	retry   time.Duration // what the refusal said
	lost    bool          // the connection ended before
}

// handshakeClient makes WebSockets whose kernel receive buffer has this size; 0 is the kernel's choice.
func handshakeClient(receiveBuffer int) *http.Client {
	if receiveBuffer == 0 {
		return http.DefaultClient
	}
	dialer := &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
		})
		return errors.Join(err, failed)
	}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
}

// dial connects up to CONNECTED.
func (c *Client) dial(ctx context.Context, gateway string) (*link, error) {
	record := c.cfg.History.dialling(c.number, c.cfg.User, gateway)
	l, err := c.open(ctx, record)
	if err != nil {
		c.cfg.History.note(record, func(r *Connection, now time.Duration) { r.Ended, r.Reason = now, err.Error() })
		return nil, err
	}
	c.cfg.History.note(record, func(r *Connection, now time.Duration) { r.Connected = now })
	return l, nil
}

func (c *Client) open(ctx context.Context, record *Connection) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	socket, response, err := websocket.Dial(ctx, record.Gateway, &websocket.DialOptions{
		HTTPClient: c.dialer, Subprotocols: []string{"v12.stomp"},
	})
	if err != nil {
		return nil, fmt.Errorf("dial: %w", handshakeError(response, err))
	}
	socket.SetReadLimit(maxMessage)
	l := &link{
		client: c, record: record, socket: socket,
		pending: map[string]func(reply){}, subs: map[string]*follow{}, lastIn: time.Now(),
	}
	if err := l.connect(ctx); err != nil {
		_ = socket.CloseNow()
		return nil, err
	}
	return l, nil
}

// handshakeError ends the client where coming again is of no use.
func handshakeError(response *http.Response, err error) error {
	if response == nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		return &fatalError{err}
	}
	return err
}

// connect says CONNECT and waits for CONNECTED.
func (l *link) connect(ctx context.Context) error {
	every := strconv.FormatInt(l.client.cfg.HeartBeat.Milliseconds(), 10)
	hello := appendFrame(nil, "CONNECT", nil, "accept-version", "1.2", "host", "chat",
		"Authorization", "Bearer "+l.client.cfg.Token(), "heart-beat", every+","+every)
	if err := l.socket.Write(ctx, websocket.MessageText, hello); err != nil {
		return fmt.Errorf("send CONNECT: %w", err)
	}
	for {
		_, data, err := l.socket.Read(ctx)
		if err != nil {
			return fmt.Errorf("wait for CONNECTED: %w", err)
		}
		f, _, err := parseFrame(data)
		switch {
		case err != nil:
			return &fatalError{err}
		case f.command == "":
		case f.command == "CONNECTED":
			l.agreeOnHeartBeats(f.get("heart-beat"))
			return nil
		default:
			return l.refused(f)
		}
	}
}

// refused makes the error of an ERROR frame that answers CONNECT.
func (l *link) refused(f frame) error {
	code := f.get("code")
	l.client.count(code)
	err := fmt.Errorf("CONNECT was answered by %s %s: %s", f.command, code, f.body)
	if code == "UNAVAILABLE" || code == "INTERNAL" || code == "RATE_LIMITED" {
		return err
	}
	return &fatalError{err}
}

// agreeOnHeartBeats reads the gateway's offer (STOMP 1.2, "Heart-beating").
func (l *link) agreeOnHeartBeats(offer string) {
	send, receive, _ := strings.Cut(offer, ",")
	l.beatOut, l.beatIn = l.client.beats(receive), l.client.beats(send)
}

func (c *Client) beats(milliseconds string) time.Duration {
	theirs, err := strconv.ParseInt(milliseconds, 10, 32)
	if err != nil || theirs == 0 {
		return 0
	}
	return max(c.cfg.HeartBeat, time.Duration(theirs)*time.Millisecond)
}

// serve runs a connection to its end, and returns why that came.
func (c *Client) serve(ctx context.Context, l *link) error {
	err := c.fixBases(ctx)
	if err == nil { // first of all, or a refusal would cost the connection
		err = l.write(appendFrame(nil, "SUBSCRIBE", nil, "id", errorsID, "destination", "/user/queue/errors"))
	}
	if err != nil {
		l.finish(ctx, err)
		return err
	}
	c.mu.Lock()
	c.counts.Connects++
	c.link = l
	if every := shortest(l.beatOut, l.beatIn); every > 0 {
		l.beat = time.AfterFunc(every, func() { l.keepAlive(every) })
	}
	rooms := c.wanted()
	c.tell()
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, l.bye)
	defer stop()

	for _, f := range rooms {
		if err == nil {
			err = l.subscribe(f)
		}
	}
	if err == nil {
		err = l.read(ctx)
	}
	l.finish(ctx, err)
	return err
}

func shortest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// read takes in what comes, until the connection ends.
func (l *link) read(ctx context.Context) error {
	whole := context.WithoutCancel(ctx) // the end of ctx says DISCONNECT instead
	for {
		if err := l.awaitResumed(ctx); err != nil {
			return err
		}
		_, reader, err := l.socket.Reader(whole)
		if err != nil {
			return err
		}
		l.buffer.Reset()
		if _, err := l.buffer.ReadFrom(reader); err != nil {
			return err
		}
		if err := l.handleAll(ctx, l.buffer.Bytes()); err != nil {
			return err
		}
	}
}

// awaitResumed waits while the client is paused.
func (l *link) awaitResumed(ctx context.Context) error {
	l.client.mu.Lock()
	l.lastIn = time.Now()
	resumed := l.client.resumed
	l.client.mu.Unlock()
	if resumed == nil {
		return nil
	}
	select {
	case <-resumed:
		l.client.mu.Lock()
		defer l.client.mu.Unlock()
		l.lastIn = time.Now()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) handleAll(ctx context.Context, data []byte) error {
	for len(data) > 0 {
		f, rest, err := parseFrame(data)
		if err != nil {
			return &fatalError{err}
		}
		if f.command != "" {
			if err := l.handle(ctx, f); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}

// keepAlive sends a heart-beat, and gives up a gateway that sends none.
func (l *link) keepAlive(every time.Duration) {
	c := l.client
	c.mu.Lock()
	silent := l.beatIn > 0 && c.resumed == nil && time.Since(l.lastIn) > time.Duration(silences*float64(l.beatIn))
	ended := l.ended
	c.mu.Unlock()
	if ended {
		return
	}
	if silent {
		l.cut("no heart-beat of the gateway")
		return
	}
	if l.write([]byte{'\n'}) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.ended {
		l.beat.Reset(every)
	}
}

// write sends one message; an error means that the connection is lost.
func (l *link) write(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := l.socket.Write(ctx, websocket.MessageText, data); err != nil {
		l.cut("write: " + err.Error())
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// cut breaks the connection without a close frame.
func (l *link) cut(why string) {
	l.client.cfg.History.note(l.record, func(r *Connection, _ time.Duration) {
		if r.Reason == "" {
			r.Reason = why
		}
	})
	_ = l.socket.CloseNow() // it is lost either way
}

// bye ends the connection as STOMP wants it.
func (l *link) bye() {
	l.client.cfg.History.note(l.record, func(r *Connection, _ time.Duration) { r.Planned = true })
	if l.write(appendFrame(nil, "DISCONNECT", nil)) == nil {
		time.AfterFunc(byeTimeout, func() { _ = l.socket.CloseNow() })
	}
}

// finish notes the end of a connection, and tells all who wait for an answer on it.
func (l *link) finish(ctx context.Context, cause error) {
	_ = l.socket.CloseNow()
	var closed websocket.CloseError
	code := 0
	if errors.As(cause, &closed) {
		code = int(closed.Code)
	}
	c := l.client
	c.cfg.History.note(l.record, func(r *Connection, now time.Duration) {
		r.Ended, r.Code, r.Drained, r.Planned = now, code, l.drained, r.Planned || ctx.Err() != nil
		if code != 0 {
			r.Reason = closed.Reason
		} else if r.Reason == "" && cause != nil {
			r.Reason = cause.Error()
		}
	})
	c.mu.Lock()
	l.ended = true
	if l.beat != nil {
		l.beat.Stop()
	}
	c.link = nil
	for _, f := range l.subs {
		f.unlink()
	}
	if ctx.Err() == nil {
		c.counts.Closes[code]++
	}
	waiting := l.pending
	l.pending = nil
	c.tell()
	c.mu.Unlock()
	for _, answer := range waiting {
		answer(reply{lost: true})
	}
}

// ask registers who is told the answer of a frame and returns the receipt id to put into it; "" when the connection
// has ended.
func (l *link) ask(answer func(reply)) string {
	l.client.mu.Lock()
	defer l.client.mu.Unlock()
	return l.askLocked(answer)
}

func (l *link) askLocked(answer func(reply)) string {
	if l.ended {
		return ""
	}
	l.receipts++
	id := strconv.Itoa(l.receipts)
	l.pending[id] = answer
	return id
}

// answered tells who asked; it says false when nobody did.
func (l *link) answered(receiptID string, r reply) bool {
	l.client.mu.Lock()
	answer := l.pending[receiptID]
	delete(l.pending, receiptID)
	l.client.mu.Unlock()
	if answer == nil {
		return false
	}
	answer(r)
	return true
}
