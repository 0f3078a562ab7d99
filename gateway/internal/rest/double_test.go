package rest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
	"github.com/fliliy/chat/gateway/internal/rest"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
)

// double is a chat service that answers every call with one scripted response or error, and notes what came.
type double struct {
	mu       sync.Mutex
	response proto.Message
	err      error
	method   string
	user     string
	metadata metadata.MD
	request  proto.Message
}

// intercept stands before all methods: none of the service is implemented, nor need be.
func (d *double) intercept(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, _ grpc.UnaryHandler,
) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.method = info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	d.user, _ = identity.User(ctx)
	d.metadata, _ = metadata.FromIncomingContext(ctx)
	d.request, _ = request.(proto.Message)
	return d.response, d.err
}

// tokens is an Authenticator: the token is the user's id.
type tokens struct{}

func (tokens) Verify(_ context.Context, token string) (principal.Principal, error) {
	switch token {
	case "expired":
		return principal.Principal{}, &event.Error{Code: event.TokenExpired, Message: "the token has expired"}
	case "bad":
		return principal.Principal{}, &event.Error{Code: event.Unauthenticated, Message: "the token is not valid"}
	}
	return principal.Principal{User: token}, nil
}

// newHandler is a handler over a double, and its log.
func newHandler(t *testing.T, d *double, options ...rest.Option) (http.Handler, *bytes.Buffer) {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.UnaryInterceptor(d.intercept))
	chatv1.RegisterChatServiceServer(server, chatv1.UnimplementedChatServiceServer{})
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	cc, err := grpc.NewClient("passthrough:///double", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() {
		_ = cc.Close()
		server.Stop()
		if err := <-stopped; err != nil {
			t.Errorf("serve the double: %v", err)
		}
	})
	log := &bytes.Buffer{}
	options = append(options, rest.WithLogger(slog.New(slog.NewJSONHandler(log, nil))))
	return rest.Handler(cc, tokens{}, options...), log
}

// call makes a request as alice with a JSON body, unless the headers say otherwise.
func call(t *testing.T, h http.Handler, method, path, body string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer alice")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for key, values := range header {
		r.Header[key] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read the response: %v", err)
	}
	return string(body)
}
