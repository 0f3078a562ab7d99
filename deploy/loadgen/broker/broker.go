// Package broker is a small STOMP broker over WebSocket for the tests of the load generator: topics, receipts, and
// faults on demand. Real servers do not lose messages when a test wants them to. No other tests use it.
package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// Deliver says what a subscriber gets instead of its nth message (counted from 1): nothing, the message, the message
// twice, another one first.
type Deliver func(user string, n int, message []byte) [][]byte

// Broker is a running broker.
type Broker struct {
	http    *httptest.Server
	deliver Deliver

	mu     sync.Mutex
	refuse int  // SUBSCRIBEs to topics
	silent bool // no SEND is answered
	subs   map[*subscription]bool
	logs   map[string][][]byte // by destination: bodies, seq 1, 2, 3, …
	stored map[string]bool     // ids of bodies
	closed int
}

type subscription struct {
	session         *session
	id, destination string
	count           int
}

type session struct {
	broker *Broker
	conn   *websocket.Conn
	user   string
	out    chan []byte
}

// New starts a broker that a test's end stops. A nil Deliver delivers everything as it is.
func New(tb testing.TB, deliver Deliver) *Broker {
	tb.Helper()
	if deliver == nil {
		deliver = func(_ string, _ int, message []byte) [][]byte { return [][]byte{message} }
	}
	b := &Broker{deliver: deliver, subs: map[*subscription]bool{}, logs: map[string][][]byte{}, stored: map[string]bool{}}
	b.http = httptest.NewServer(http.HandlerFunc(b.serve))
	tb.Cleanup(b.http.Close)
	return b
}

// RefuseSubscribes has the next SUBSCRIBEs to topics refused by an event on the queue /queue/errors, and nothing else.
func (b *Broker) RefuseSubscribes(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = n
}

// Silence has no SEND answered by a RECEIPT any more.
func (b *Broker) Silence() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent = true
}

func (b *Broker) isSilent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.silent
}

// refuses says whether a SUBSCRIBE is to be refused, and does so.
func (b *Broker) refuses(s *session, header map[string]string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse == 0 || !strings.HasPrefix(header["destination"], "/topic/") {
		return false
	}
	b.refuse--
	errors := subscription{session: s, id: "q0", destination: "/queue/errors"}
	s.out <- errors.message(0, []byte(`{"event":"ERROR","code":"UNAVAILABLE"}`))
	return true
}

// Addr is where it listens.
func (b *Broker) Addr() netip.AddrPort {
	return netip.MustParseAddrPort(b.http.Listener.Addr().String())
}

func (b *Broker) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"v12.stomp"}})
	if err != nil {
		return // Accept has answered
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{broker: b, conn: conn, out: make(chan []byte, 100_000)}
	go s.write(ctx)
	_ = s.read(ctx) // how a client leaves does not matter here
	cancel()
	b.leave(s)
	_ = conn.CloseNow()
}

func (s *session) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-s.out:
			if s.conn.Write(ctx, websocket.MessageText, message) != nil {
				return
			}
		}
	}
}

var errNotUnderstood = errors.New("the client sent what is not understood")

func (s *session) read(ctx context.Context) error {
	for {
		_, data, err := s.conn.Read(ctx)
		if err != nil {
			return err
		}
		head, body, found := bytes.Cut(bytes.TrimSuffix(data, []byte{0}), []byte("\n\n"))
		if !found {
			return errNotUnderstood
		}
		command, lines, _ := strings.Cut(string(head), "\n")
		header := map[string]string{}
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ":")
			header[name] = value
		}
		if err := s.obey(command, header, body); err != nil {
			return err
		}
	}
}

func (s *session) obey(command string, header map[string]string, body []byte) error {
	switch command {
	case "CONNECT":
		s.user = header["login"]
		s.out <- []byte("CONNECTED\nversion:1.2\n\n\x00")
		return nil
	case "SUBSCRIBE":
		if s.broker.refuses(s, header) {
			return nil
		}
		s.broker.join(s, header)
	case "SEND":
		s.broker.publish(header["destination"], body)
		if s.broker.isSilent() {
			return nil
		}
	default:
		return errNotUnderstood
	}
	if id := header["receipt"]; id != "" {
		s.out <- fmt.Appendf(nil, "RECEIPT\nreceipt-id:%s\n\n\x00", id)
	}
	return nil
}

// join subscribes; last-seq replays what follows it.
func (b *Broker) join(s *session, header map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub := &subscription{session: s, id: header["id"], destination: header["destination"]}
	if last, err := strconv.Atoi(header["last-seq"]); err == nil {
		for i, body := range b.logs[sub.destination][last:] {
			s.out <- sub.message(last+i+1, body)
		}
	}
	b.subs[sub] = true
}

func (b *Broker) leave(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	for sub := range b.subs {
		if sub.session == s {
			delete(b.subs, sub)
		}
	}
}

// Closed is how many connections have ended.
func (b *Broker) Closed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// publish stores and delivers a body, unless one with its id is stored.
func (b *Broker) publish(destination string, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var message struct{ ID string }
	if json.Unmarshal(body, &message) == nil && message.ID != "" {
		if b.stored[message.ID] {
			return
		}
		b.stored[message.ID] = true
	}
	b.logs[destination] = append(b.logs[destination], body)
	seq := len(b.logs[destination])
	for sub := range b.subs {
		if sub.destination != destination {
			continue
		}
		sub.count++
		for _, message := range b.deliver(sub.session.user, sub.count, sub.message(seq, body)) {
			sub.session.out <- message
		}
	}
}

func (s *subscription) message(seq int, body []byte) []byte {
	return fmt.Appendf(nil, "MESSAGE\nsubscription:%s\nmessage-id:%d\ndestination:%s\nseq:%d\ncontent-length:%d\n\n%s\x00",
		s.id, seq, s.destination, seq, len(body), body)
}
