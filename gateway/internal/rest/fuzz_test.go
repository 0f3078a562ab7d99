package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fliliy/chat/gateway/internal/rest"
	"github.com/fliliy/chat/proto/identity"
)

// listener is a connection to a chat service that hears everything and finds nothing.
type listener struct {
	grpc.ClientConnInterface
	users []string // who acts, in each call
	rooms []int64  // in which room, where the call names one
}

func (l *listener) Invoke(ctx context.Context, _ string, in, _ any, _ ...grpc.CallOption) error {
	sent, _ := metadata.FromOutgoingContext(ctx)
	user, err := identity.User(metadata.NewIncomingContext(ctx, sent))
	if err != nil {
		user = err.Error()
	}
	l.users = append(l.users, user)
	if named, ok := in.(interface{ GetChatRoomId() int64 }); ok {
		l.rooms = append(l.rooms, named.GetChatRoomId())
	}
	return status.Error(codes.NotFound, "there is nothing here")
}

// FuzzRequest: whatever comes, nothing panics; every answer is JSON, an error has a code and a text, and nothing is a fault
// of ours; who acts is the token's user, and the room is the one of the path.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct{ method, target, body string }{
		{"POST", "/api/v1/chat-rooms", `{"memberIds":["bob"],"name":"x","listingId":"7"}`},
		{"GET", "/api/v1/chat-rooms?limit=2&pageToken=x", ""},
		{"POST", "/api/v1/chat-rooms/42/messages", `{"type":"TEXT","content":"\u0000","attachment":{"a":[1e400,null]}}`},
		{"GET", "/api/v1/chat-rooms/42/messages?beforeSeq=-1&afterSeq=9223372036854775808&limit=x", ""},
		{"PATCH", "/api/v1/chat-rooms/42/messages/7", `{"chatRoomId":"43","seq":"8","content":"x"}`},
		{"DELETE", "/api/v1/chat-rooms/42/members/a%2Fb%20%E4%BD%A0@c%252F", ""},
		{"POST", "/api/v1/chat-rooms/042/read", `{"seq":7}`},
		{"POST", "/api/v1/chat-rooms/42/members", `{"memberIds":"bob"}`},
		{"GET", "/api/v1/presence?userIds=a&userIds=b&userIds", ""},
		{"GET", "/api/v1/chat-rooms/42:online/online;x=1", ""},
		{"PUT", "/api/v1/openapi.json", "[[[[[[[["},
		{"GET", "/api/v1/inbox?%zz", ""},
	} {
		f.Add(seed.method, seed.target, "application/json", []byte(seed.body))
	}
	heard := new(listener)
	handler := rest.Handler(heard, tokens{}, rest.WithLogger(slog.New(slog.DiscardHandler)))
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte) {
		head := method + " " + target + " HTTP/1.1\r\nHost: chat\r\nAuthorization: Bearer alice\r\nContent-Length: " +
			strconv.Itoa(len(body)) + "\r\n\r\n"
		request, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body))))
		if err != nil {
			return // net/http lets it no further
		}
		request.Header.Set("Authorization", "Bearer alice")
		request.Header.Set("Content-Type", contentType)
		heard.users, heard.rooms = heard.users[:0], heard.rooms[:0]
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		for _, user := range heard.users {
			if user != "alice" {
				t.Fatalf("%q acts", user)
			}
		}
		for _, room := range heard.rooms {
			if !strings.HasPrefix(request.URL.Path, "/api/v1/chat-rooms/"+strconv.FormatInt(room, 10)+"/") || room <= 0 {
				t.Fatalf("%s %q is about room %d", request.Method, request.URL.Path, room)
			}
		}
		checkAnswer(t, request, answer.Result(), answer.Body.Bytes())
	})
}

func checkAnswer(t *testing.T, request *http.Request, answer *http.Response, body []byte) {
	t.Helper()
	if answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented {
		t.Fatalf("%s %q: %d %s", request.Method, request.URL, answer.StatusCode, body)
	}
	if answer.StatusCode < 300 && request.URL.Path == "/api/v1/openapi.json" || answer.StatusCode == http.StatusNotModified {
		return
	}
	var refused struct{ Code, Message string }
	if !utf8.Valid(body) || json.Unmarshal(body, &refused) != nil || refused.Code == "" || refused.Message == "" {
		t.Fatalf("%s %q: %d %q is no error of the contract", request.Method, request.URL, answer.StatusCode, body)
	}
	if answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("%s %q: the answer may be sniffed", request.Method, request.URL)
	}
}
