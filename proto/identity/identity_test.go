package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/fliliy/chat/proto/identity"
)

// received turns a caller's context into the one its server sees.
func received(ctx context.Context) context.Context {
	sent, _ := metadata.FromOutgoingContext(ctx)
	return metadata.NewIncomingContext(context.Background(), sent)
}

func TestUserTravels(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"alice", "用户 1", "a:b/c*>", strings.Repeat("x", identity.MaxUserID)} {
		got, err := identity.User(received(identity.WithUser(t.Context(), id)))
		if err != nil || got != id {
			t.Errorf("User after WithUser(%q) = %q, %v", id, got, err)
		}
	}
}

func TestUserRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		want error // nil: any error
	}{
		{"no metadata", context.Background(), identity.ErrNoUser},
		{"twice", received(identity.WithUser(identity.WithUser(t.Context(), "alice"), "bob")), nil},
		{"not base64url", metadata.NewIncomingContext(t.Context(), metadata.Pairs(identity.UserKey, "a b")), nil},
		{"no user id", received(identity.WithUser(t.Context(), "a\x00b")), nil},
		{"empty", received(identity.WithUser(t.Context(), "")), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			user, err := identity.User(tc.ctx)
			if err == nil || user != "" {
				t.Fatalf("User = %q, %v; want an error", user, err)
			}
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("User error = %v, want %v", err, tc.want)
			}
		})
	}
}

func TestValidUserID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, id string
		ok       bool
	}{
		{"plain", "alice", true},
		{"unicode", "张三", true},
		{"punctuation", "a:b*{c}>/%", true},
		{"longest", strings.Repeat("x", 128), true},
		{"empty", "", false},
		{"too long", strings.Repeat("x", 129), false},
		{"newline", "a\nb", false},
		{"NUL", "a\x00", false},
		{"DEL", "a\x7f", false},
		{"C1 control", "a\u0085b", false},
		{"not UTF-8", "a\xff", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := identity.ValidUserID(tc.id); (err == nil) != tc.ok {
				t.Errorf("ValidUserID(%q) = %v, want ok %t", tc.id, err, tc.ok)
			}
		})
	}
}
