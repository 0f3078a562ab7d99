package chatsvc_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/chatsvc"
	"github.com/fliliy/chat/chatsvc/config"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

func configOn(database, broker string) config.Config {
	cfg := config.Default()
	cfg.Addr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DatabaseURL, cfg.NATS.URL = database, broker
	return cfg
}

// running is a service that runs, and raw clients of it.
type running struct {
	tb      testing.TB
	service *chatsvc.Service
	chat    chatv1.ChatServiceClient
	relay   chatv1.RelayServiceClient
	stop    func() // ends Run and waits for it
}

func start(tb testing.TB, database, broker string, changes ...func(*config.Config)) *running {
	tb.Helper()
	cfg := configOn(database, broker)
	for _, change := range changes {
		change(&cfg)
	}
	service, err := chatsvc.New(cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	s := &running{tb: tb, service: service}
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				tb.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			tb.Errorf("the service does not stop within %s", patience)
		}
	})
	tb.Cleanup(s.stop)
	select {
	case <-service.Ready():
	case err := <-ended:
		tb.Fatalf("Run: %v", err)
	case <-time.After(patience):
		tb.Fatalf("the service is not ready within %s", patience)
	}
	conn, err := grpc.NewClient(service.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	s.chat, s.relay = chatv1.NewChatServiceClient(conn), chatv1.NewRelayServiceClient(conn)
	return s
}

// room makes a room of its owner and others.
func (s *running) room(owner string, others ...string) int64 {
	s.tb.Helper()
	out, err := s.chat.CreateRoom(as(s.tb, owner), &chatv1.CreateRoomRequest{Name: "the room", MemberIds: others})
	if err != nil {
		s.tb.Fatalf("create room: %v", err)
	}
	return out.GetRoom().GetChatRoomId()
}

func (s *running) say(user string, room int64, content, id string) *chatv1.SendMessageResponse {
	s.tb.Helper()
	out, err := s.chat.SendMessage(as(s.tb, user), &chatv1.SendMessageRequest{
		ChatRoomId: room, Content: content, ClientMessageId: id,
	})
	if err != nil {
		s.tb.Fatalf("send: %v", err)
	}
	return out
}

func (s *running) history(user string, room int64) []*chatv1.Event {
	s.tb.Helper()
	out, err := s.chat.ListMessages(as(s.tb, user), &chatv1.ListMessagesRequest{ChatRoomId: room})
	if err != nil {
		s.tb.Fatalf("list messages: %v", err)
	}
	return out.GetEvents()
}

// broker is a NATS server that can go away and come back on its port.
type broker struct {
	tb     testing.TB
	port   int
	server *server.Server
}

func startBroker(tb testing.TB) *broker {
	tb.Helper()
	b := &broker{tb: tb, port: server.RANDOM_PORT}
	b.start()
	tb.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.tb.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, NoLog: true, NoSigs: true})
	if err != nil {
		b.tb.Fatalf("new NATS server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		b.tb.Fatal("the NATS server does not become ready")
	}
	b.server = s
	if _, err := fmt.Sscanf(s.ClientURL(), "nats://127.0.0.1:%d", &b.port); err != nil {
		b.tb.Fatalf("read the port of %s: %v", s.ClientURL(), err)
	}
}

func (b *broker) stop() {
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

func (b *broker) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", b.port) }

// ear is a plain NATS client that hears everything.
type ear struct {
	tb   testing.TB
	msgs chan *nats.Msg
	kept map[string][]byte // the newest message of each subject
}

func listen(tb testing.TB, url string) *ear {
	tb.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(nc.Close)
	e := &ear{tb: tb, msgs: make(chan *nats.Msg, 10_000), kept: map[string][]byte{}}
	if _, err := nc.ChanSubscribe("chat.v1.>", e.msgs); err != nil {
		tb.Fatalf("subscribe: %v", err)
	}
	if err := nc.Flush(); err != nil {
		tb.Fatalf("flush: %v", err)
	}
	return e
}

// hear waits for a message on a subject.
func (e *ear) hear(name string, into proto.Message) {
	e.tb.Helper()
	deadline := time.After(patience)
	for e.kept[name] == nil {
		select {
		case m := <-e.msgs:
			e.kept[m.Subject] = m.Data
		case <-deadline:
			e.tb.Fatalf("nothing came on %s within %s", name, patience)
		}
	}
	if err := proto.Unmarshal(e.kept[name], into); err != nil {
		e.tb.Fatalf("message on %s: %v", name, err)
	}
	delete(e.kept, name)
}

func (e *ear) envelope(name string) *chatv1.Envelope {
	e.tb.Helper()
	envelope := new(chatv1.Envelope)
	e.hear(name, envelope)
	return envelope
}

// digest waits for a digest and returns its heads, by the names of their logs.
func (e *ear) digest() map[string]int64 {
	e.tb.Helper()
	digest := new(chatv1.Heads)
	e.hear(subject.Heads, digest)
	heads := make(map[string]int64, len(digest.GetHeads()))
	for _, head := range digest.GetHeads() {
		heads[logName(head.GetLog().GetChatRoomId(), head.GetLog().GetUserId())] = head.GetSeq()
	}
	return heads
}

// head waits until a digest names a room and returns its seq.
func (e *ear) head(room int64) int64 {
	e.tb.Helper()
	for {
		if seq, named := e.digest()[logName(room, "")]; named {
			return seq
		}
	}
}

func logName(room int64, user string) string { return fmt.Sprintf("room %d of %q", room, user) }

// eventually polls until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline:
			tb.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
