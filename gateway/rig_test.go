package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/coder/websocket"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/internal/stomp"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

const (
	secret   = "0123456789abcdef0123456789abcdef"
	patience = 30 * time.Second // for what must happen
)

// service doubles chatsvc for one room, 42, that everybody may enter: it stores in memory and publishes on NATS.
type service struct {
	chatv1.UnimplementedRelayServiceServer
	nats *nats.Conn
	gate chan struct{} // while it is open, commands are taken and not answered; nil: there is none

	mu      sync.Mutex
	events  []*chatv1.Event
	revoked []*chatv1.Revocation
}

// revoke revokes a user's tokens and tells gateways.
func (s *service) revoke(user string, before time.Time, reason string) {
	s.mu.Lock()
	number := int64(len(s.revoked)) + 1
	s.revoked = append(s.revoked, &chatv1.Revocation{
		Number: number, UserId: user, Reason: reason,
		IssuedBefore: timestamppb.New(before), Until: timestamppb.New(before.Add(time.Hour)),
	})
	s.mu.Unlock()
	if hint, err := proto.Marshal(&chatv1.Control{Revocation: number}); err == nil {
		_ = s.nats.Publish(subject.Control, hint) // a hint: the poll comes anyway
	}
}

func (s *service) ListRevocations(
	_ context.Context, in *chatv1.ListRevocationsRequest,
) (*chatv1.ListRevocationsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := min(int(in.GetAfter()), len(s.revoked)) // their numbers are 1, 2, 3, …
	return &chatv1.ListRevocationsResponse{Revocations: s.revoked[first:], Head: int64(len(s.revoked))}, nil
}

var room42 = &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: 42}}

func (s *service) Relay(stream grpc.BidiStreamingServer[chatv1.RelayRequest, chatv1.RelayResponse]) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the gateway is gone
		}
		response := &chatv1.RelayResponse{}
		for _, c := range request.GetCommands() {
			if result := s.run(c); result != nil {
				response.Results = append(response.Results, result)
			}
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

func (s *service) run(c *chatv1.RelayCommand) *chatv1.RelayResult {
	result := &chatv1.RelayResult{Id: c.GetId()}
	for _, a := range c.GetActions() {
		if a.GetVerb() != chatv1.Verb_VERB_SEND {
			result.Stored = append(result.Stored, &chatv1.Stored{})
			continue
		}
		e, err := s.add(a.GetBody())
		if err != nil {
			return nil
		}
		result.Stored = append(result.Stored, &chatv1.Stored{MessageId: e.GetMessageId(), Seq: e.GetSeq()})
	}
	return result
}

// add stores a message and publishes it.
func (s *service) add(content []byte) (*chatv1.Event, error) {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := int64(len(s.events)) + 1
	body, err := json.Marshal(map[string]any{"event": "MESSAGE", "seq": seq, "content": string(content)})
	if err != nil {
		return nil, err
	}
	e := &chatv1.Event{
		Seq: seq, Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, MessageId: fmt.Sprintf("42-%d", seq), Json: body,
	}
	s.events = append(s.events, e)
	envelope, err := proto.Marshal(&chatv1.Envelope{Log: room42, Events: []*chatv1.Event{e}})
	if err != nil {
		return nil, err
	}
	return e, s.nats.Publish(subject.Room(42), envelope)
}

func (s *service) Subscribe(_ context.Context, in *chatv1.SubscribeRequest) (*chatv1.SubscribeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	response := &chatv1.SubscribeResponse{HeadSeq: int64(len(s.events))}
	if in.LastSeq != nil && in.GetLastSeq() < response.GetHeadSeq() {
		response.Events = s.events[in.GetLastSeq():]
	}
	return response, nil
}

func (s *service) ReadLog(_ context.Context, in *chatv1.ReadLogRequest) (*chatv1.ReadLogResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := int64(len(s.events))
	upTo := in.GetUpToSeq()
	if upTo == 0 || upTo > head {
		upTo = head
	}
	return &chatv1.ReadLogResponse{HeadSeq: head, Events: s.events[min(in.GetAfterSeq(), upTo):upTo]}, nil
}

func (s *service) ReadHeads(_ context.Context, in *chatv1.ReadHeadsRequest) (*chatv1.ReadHeadsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	response := &chatv1.ReadHeadsResponse{}
	for _, log := range in.GetLogs() {
		response.Heads = append(response.Heads, &chatv1.LogHead{Log: log, Seq: int64(len(s.events))})
	}
	return response, nil
}

// rig is a gateway between doubles: an embedded NATS server, miniredis, and a scripted chatsvc.
type rig struct {
	t       *testing.T
	cfg     config.Config
	service *service
	redis   *miniredis.Miniredis
	grpc    *grpc.Server
	nats    *server.Server

	*gateway.Gateway
	stop  context.CancelFunc
	ended chan error // gets what Run returned
}

// newRig starts the doubles; start starts the gateway.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, cfg: config.Default(), redis: miniredis.RunT(t), grpc: grpc.NewServer(), ended: make(chan error, 1)}
	var err error
	if r.nats, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true}); err != nil {
		t.Fatal(err)
	}
	r.nats.Start()
	if !r.nats.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not get ready")
	}
	publisher, err := nats.Connect(r.nats.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	r.service = &service{nats: publisher}
	chatv1.RegisterRelayServiceServer(r.grpc, r.service)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.grpc.Serve(listener) }()
	t.Cleanup(func() {
		r.grpc.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve the chatsvc double: %v", err)
		}
		publisher.Close()
		r.nats.Shutdown()
		r.nats.WaitForShutdown()
	})
	r.cfg.Addr, r.cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	r.cfg.ChatsvcTarget, r.cfg.RedisURL = listener.Addr().String(), "redis://"+r.redis.Addr()
	r.cfg.NATS.URL, r.cfg.JWT.Secret = r.nats.ClientURL(), secret
	r.cfg.Rates.Off = true
	r.cfg.Limits.DrainGrace, r.cfg.Limits.DrainTime = 0, 2*time.Second
	return r
}

func (r *rig) start() {
	r.t.Helper()
	gw, err := gateway.New(r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.Gateway, r.stop = gw, stop
	go func() { r.ended <- gw.Run(ctx) }()
	r.t.Cleanup(stop)
	select {
	case <-gw.Ready():
	case <-time.After(patience):
		r.t.Fatal("the gateway does not get ready")
	}
}

// wait returns what Run returned.
func (r *rig) wait() error {
	r.t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatal("Run has not returned")
		return nil
	}
}

// ask makes a request and returns the answer.
func (r *rig) ask(method, url string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

// eventually polls until a condition holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("not so after %v: %s", patience, what)
		}
	}
}

// client speaks STOMP 1.2 over a WebSocket.
type client struct {
	t       *testing.T
	ws      *websocket.Conn
	decoder *stomp.Decoder
}

// connect opens a session of a user.
func (r *rig) connect(user string) *client {
	r.t.Helper()
	token, err := gateway.SignToken(secret, user, time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	//nolint:bodyclose // a successful upgrade has no body
	ws, _, err := websocket.Dial(r.t.Context(), "ws://"+r.Addr()+"/ws?token="+token, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = ws.CloseNow() })
	ws.SetReadLimit(1 << 20)
	c := &client{t: r.t, ws: ws, decoder: stomp.NewDecoder(stomp.DefaultLimits)}
	c.decoder.SetVersion(stomp.V12)
	c.send("CONNECT\naccept-version:1.2\nhost:x\nheart-beat:0,0\n\n")
	if f := c.next(); f.Command != stomp.CmdConnected || f.Header.Get("user-name") != user {
		r.t.Fatalf("the answer to CONNECT is %s %v", f.Command, f.Header)
	}
	return c
}

func (c *client) send(frame string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(frame+"\x00")); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next frame; its contents are the caller's.
func (c *client) next() *stomp.Frame {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return f
}

// read passes over who is online: that comes at any time.
func (c *client) read() (*stomp.Frame, error) {
	for {
		f, err := c.readAny()
		if err != nil || f.Header.Get("event") != "PRESENCE" {
			return f, err
		}
	}
}

func (c *client) readAny() (*stomp.Frame, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, message, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	c.decoder.Feed(message)
	return c.decoder.Next()
}

// want reads frames until one is of the command and has the header; all others are passed over.
func (c *client) want(command, key, value string) *stomp.Frame {
	c.t.Helper()
	for {
		if f := c.next(); f.Command == command && f.Header.Get(key) == value {
			return f
		}
	}
}
