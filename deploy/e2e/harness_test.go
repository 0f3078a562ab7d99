package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/pgtest"
	"github.com/fliliy/chat/deploy/allinone"
	"github.com/fliliy/chat/gateway/config"
	"github.com/fliliy/chat/gateway/redistest"
)

// patience is how long anything may take before a test gives up on it. It asserts no speed.
const patience = 2 * time.Minute

// stage is a running system with two gateways, named after what it stands on.
type stage struct {
	name    string
	dir     string // its data
	stack   *allinone.Stack
	journal *journal // all that its services have logged
}

// stages are shared by all tests: each test makes rooms and users of its own.
var stages []*stage

func TestMain(m *testing.M) {
	os.Exit(runOnStages(m))
}

func runOnStages(m *testing.M) int {
	embedded, real := &stage{name: "embedded", journal: &journal{}}, &stage{name: "real", journal: &journal{}}
	stopEmbedded, err := embedded.startEmbedded()
	if err != nil {
		return fail(err)
	}
	defer stopEmbedded()
	stopReal, err := real.startReal()
	if err != nil {
		return fail(err)
	}
	defer stopReal()
	stages = []*stage{embedded, real}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "start the stages:", err)
	return 1
}

// options are those of a stack on free ports, keeping its data in a folder of its own.
func options(dir string) allinone.Options {
	return allinone.Options{
		GatewayAddrs:      []string{"127.0.0.1:0", "127.0.0.1:0"},
		GatewayAdminAddrs: []string{"127.0.0.1:0", "127.0.0.1:0"},
		ChatsvcAddr:       "127.0.0.1:0", ChatsvcAdminAddr: "127.0.0.1:0",
		NATSAddr: "127.0.0.1:0", RedisAddr: "127.0.0.1:0",
		DataDir: dir, Configure: allowOldBrowsers,
		Logger: slog.New(loudly()),
	}
}

// loudly shows faults on the terminal.
func loudly() slog.Handler {
	return slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})
}

// previousSecret is a secret of tokens that the gateways take beside the stack's own, which nobody else knows.
const previousSecret = "the secret of last year, for tests only"

// allowOldBrowsers switches every SockJS transport on.
func allowOldBrowsers(cfg *config.Config) {
	cfg.SockJS = config.SockJS{JSONP: true, HTMLFile: true, ClientURL: shopOrigin + "/sockjs.js"}
	cfg.Origins = []string{shopOrigin}
	cfg.JWT.PreviousSecret = previousSecret
}

func (s *stage) startEmbedded() (stop func(), err error) {
	dir, err := os.MkdirTemp("", "fliliy-e2e-")
	if err != nil {
		return nil, err
	}
	s.dir = dir
	opts := options(dir)
	opts.Logger = s.journal.logger()
	if s.stack, err = allinone.Start(context.Background(), opts); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return func() { report(s.stack.Stop()); report(os.RemoveAll(dir)) }, nil
}

func (s *stage) startReal() (stop func(), err error) {
	dir, err := os.MkdirTemp("", "fliliy-e2e-")
	if err != nil {
		return nil, err
	}
	undo := []func(){func() { report(os.RemoveAll(dir)) }}
	stopAll := func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	}
	postgres, err := pgtest.Start(context.Background())
	if err != nil {
		stopAll()
		return nil, err
	}
	undo = append(undo, func() { report(postgres.Stop()) })
	redis, err := redistest.Start()
	if err != nil {
		stopAll()
		return nil, err
	}
	undo = append(undo, redis.Stop)
	s.dir = dir
	opts := options(dir)
	opts.Logger = s.journal.logger()
	opts.External = allinone.External{DatabaseURL: postgres.URL(), RedisURL: redis.URL()}
	if s.stack, err = allinone.Start(context.Background(), opts); err != nil {
		stopAll()
		return nil, err
	}
	undo = append(undo, func() { report(s.stack.Stop()) })
	return stopAll, nil
}

// report makes a fault while stopping fail the run: a server that does not stop cleanly is a bug.
func report(err error) {
	if err != nil {
		panic(fmt.Sprintf("stop a stage: %v", err))
	}
}

// onEveryStage runs a test once per stage, in parallel.
func onEveryStage(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	t.Parallel()
	for _, s := range stages {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// person is a user of this test alone, with a token.
type person struct {
	id, token string
}

// people makes users whose ids no other test has.
func (s *stage) people(t *testing.T, names ...string) []person {
	t.Helper()
	all := make([]person, len(names))
	for i, name := range names {
		id := name + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
		token, err := s.stack.Token(id)
		if err != nil {
			t.Fatalf("token of %s: %v", id, err)
		}
		all[i] = person{id, token}
	}
	return all
}

func (s *stage) httpURL(gateway int) string { return "http://" + s.stack.Gateways[gateway].Addr() }
func (s *stage) wsURL(gateway int) string   { return "ws://" + s.stack.Gateways[gateway].Addr() + "/ws" }

// rest calls a REST path as somebody and decodes the answer; body nil is GET.
func (s *stage) rest(t *testing.T, who person, method, path string, body any) (int, map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.httpURL(0)+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+who.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%s %s: status %d, answer is no JSON object: %v", method, path, response.StatusCode, err)
	}
	return response.StatusCode, answer
}

// room makes a room by REST and returns its id.
func (s *stage) room(t *testing.T, owner person, members ...person) string {
	t.Helper()
	ids := make([]string, len(members))
	for i, member := range members {
		ids[i] = member.id
	}
	status, answer := s.rest(t, owner, http.MethodPost, "/api/v1/chat-rooms",
		map[string]any{"memberIds": ids, "name": "e2e"})
	id, _ := answer["chatRoomId"].(string)
	if status != http.StatusCreated || id == "" {
		t.Fatalf("create a room: status %d, answer %v", status, answer)
	}
	return id
}

// history reads all messages of a room by REST.
func (s *stage) history(t *testing.T, who person, room string) []any {
	t.Helper()
	status, answer := s.rest(t, who, http.MethodGet, "/api/v1/chat-rooms/"+room+"/messages?afterSeq=0&limit=1000", nil)
	events, ok := answer["events"].([]any)
	if status != http.StatusOK || !ok {
		t.Fatalf("history: status %d, answer %v", status, answer)
	}
	return events
}

// eventually polls a condition that the system promises to reach by itself.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("%s: not so within %v", what, patience)
		case <-tick.C:
		}
	}
}
