package chatsvc_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fliliy/chat/chatsvc"
	"github.com/fliliy/chat/chatsvc/config"
	"github.com/fliliy/chat/chatsvc/pgtest"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
	"github.com/fliliy/chat/proto/subject"
)

var pg *pgtest.Server

func TestMain(m *testing.M) { pgtest.Main(m, &pg) }

// stores are the databases that every test of the whole service runs on.
var stores = map[string]func(testing.TB) string{
	"sqlite":     func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "data", "chat.db") },
	"postgresql": func(tb testing.TB) string { return pg.NewDatabase(tb) },
}

func onEachStore(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, url := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, url(t))
		})
	}
}

func TestSentIsStoredPublishedAndNamedInTheDigest(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, url string) {
		broker := startBroker(t)
		s := start(t, url, broker.url())
		room := s.room("alice", "bob")
		ear := listen(t, broker.url())

		stream, err := s.relay.Relay(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&chatv1.RelayRequest{Commands: []*chatv1.RelayCommand{{
			Id: 1, UserId: "alice", Actions: []*chatv1.Action{{
				Verb: chatv1.Verb_VERB_SEND, ChatRoomId: room, Body: []byte(`{"content":"你好","clientMessageId":"c1"}`),
			}},
		}}}); err != nil {
			t.Fatal(err)
		}
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		stored := response.GetResults()[0].GetStored()
		if len(stored) != 1 || stored[0].GetSeq() != 1 {
			t.Fatalf("stored as %v", response)
		}

		history := s.history("bob", room)
		if len(history) != 1 || history[0].GetMessageId() != stored[0].GetMessageId() {
			t.Fatalf("history is %v", history)
		}
		for _, name := range []string{subject.Room(room), subject.User("alice"), subject.User("bob")} {
			envelope := ear.envelope(name)
			if envelope.GetLog().GetChatRoomId() != room || len(envelope.GetEvents()) != 1 {
				t.Fatalf("envelope on %s is %v", name, envelope)
			}
			if got, want := string(envelope.GetEvents()[0].GetJson()), string(history[0].GetJson()); got != want {
				t.Errorf("on %s\n%s, in the history\n%s", name, got, want)
			}
		}
		if seq := ear.head(room); seq != 1 {
			t.Errorf("the digest names seq %d, want 1", seq)
		}
	})
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, url string) {
		broker := startBroker(t)
		s := start(t, url, broker.url())
		room := s.room("alice", "bob")
		first := s.say("alice", room, "before", "c1")
		if _, err := s.chat.MarkRead(as(t, "bob"), &chatv1.MarkReadRequest{ChatRoomId: room}); err != nil {
			t.Fatal(err)
		}
		before := s.history("bob", room)
		s.stop()

		s = start(t, url, broker.url())
		if again := s.say("alice", room, "before", "c1"); again.GetSeq() != first.GetSeq() || !again.GetDuplicate() {
			t.Errorf("the repeat after the restart is %v, want a duplicate of %v", again, first)
		}
		if next := s.say("bob", room, "after", ""); next.GetSeq() != 2 {
			t.Errorf("the next message is %v, want seq 2", next)
		}
		after := s.history("bob", room)
		if len(after) != 2 || string(after[0].GetJson()) != string(before[0].GetJson()) {
			t.Errorf("history is %v after the restart, and was %v", after, before)
		}
		members, err := s.chat.ListMembers(as(t, "bob"), &chatv1.ListMembersRequest{ChatRoomId: room})
		if err != nil || len(members.GetMembers()) != 2 || members.GetMembers()[1].GetLastReadSeq() < 1 {
			t.Errorf("members after the restart are %v, %v", members, err)
		}
	})
}

func TestSendsAreAcknowledgedWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	s := start(t, stores["sqlite"](t), broker.url())
	room := s.room("alice", "bob")
	broker.stop()
	if stored := s.say("alice", room, "into the silence", ""); stored.GetSeq() != 1 {
		t.Errorf("stored as %v", stored)
	}
	broker.start()
	if seq := listen(t, broker.url()).head(room); seq != 1 {
		t.Errorf("the digest after the reconnect names seq %d, want 1", seq)
	}
}

func TestStartsWithoutNATS(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	broker.stop()
	s := start(t, stores["sqlite"](t), broker.url())
	room := s.room("alice", "bob")
	s.say("alice", room, "hello", "")
	broker.start()
	if seq := listen(t, broker.url()).head(room); seq != 1 {
		t.Errorf("the digest names seq %d, want 1", seq)
	}
}

func TestTakenPortIsAClearError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for variable, cfg := range map[string]func(*config.Config){
		"FLILIY_CHATSVC_ADDR":       func(c *config.Config) { c.Addr = taken.Addr().String() },
		"FLILIY_CHATSVC_ADMIN_ADDR": func(c *config.Config) { c.AdminAddr = taken.Addr().String() },
	} {
		c := configOn(stores["sqlite"](t), "nats://127.0.0.1:4222")
		cfg(&c)
		_, err := chatsvc.New(c)
		if err == nil {
			t.Fatalf("%s: New takes a port that is taken", variable)
		}
		for _, part := range []string{taken.Addr().String(), "in use", variable} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q has no %q", err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has more than one line", err)
		}
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := chatsvc.New(config.Default()); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("New without a database: %v", err)
	}
	if err := chatsvc.Migrate(t.Context(), config.Default()); err == nil {
		t.Error("Migrate without a database does nothing and says nothing")
	}
}

func TestRunSaysWhyTheStoreDoesNotOpen(t *testing.T) {
	t.Parallel()
	service, err := chatsvc.New(configOn("postgres://nobody@127.0.0.1:1/nowhere", "nats://127.0.0.1:4222"))
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "open store") {
		t.Errorf("Run without a database: %v", err)
	}
}

func TestMigrateAndCheckHealth(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, url string) {
		broker := startBroker(t)
		cfg := configOn(url, broker.url())
		for range 2 { // the second finds nothing to do
			if err := chatsvc.Migrate(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, url, broker.url())
		cfg.Addr = s.service.Addr()
		if err := chatsvc.CheckHealth(t.Context(), cfg); err != nil {
			t.Errorf("health while serving: %v", err)
		}
		s.stop()
		if err := chatsvc.CheckHealth(t.Context(), cfg); err == nil {
			t.Error("health after the stop: no error")
		}
	})
}

// as acts in a user's name.
func as(tb testing.TB, user string) context.Context { return identity.WithUser(tb.Context(), user) }
