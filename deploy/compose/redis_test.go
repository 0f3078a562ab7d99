package compose_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/redistest"
	"github.com/fliliy/chat/proto/presencekey"
)

// TestThreat34RedisUsers runs redis-server with the users that the container has: chatsvc reads who is online, and can do nothing
// else with it; gateways do all they need; others do nothing.
func TestThreat34RedisUsers(t *testing.T) {
	t.Parallel()
	var args []string
	for _, arg := range readCompose(t).Services["redis"].Command[1:] {
		text, err := interpolate(arg, map[string]string{"REDIS_PASSWORD": "gatewayspassword", "REDIS_CHATSVC_PASSWORD": "itspassword"})
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, text)
	}
	// The default user's password would keep redistest from seeing that its server is there.
	at := slices.Index(args, "--requirepass")
	args = slices.Delete(args, at, at+2)
	addr := redistest.New(t, args...).Addr()
	if err := redis.NewClient(&redis.Options{Addr: addr}).ConfigSet(t.Context(), "requirepass", "gatewayspassword").Err(); err != nil {
		t.Fatal(err)
	}
	gateway := client(t, addr, "", "gatewayspassword")
	if err := gateway.SAdd(t.Context(), presencekey.OnlineUsers, "alice").Err(); err != nil {
		t.Fatalf("a gateway writes: %v", err)
	}
	if err := gateway.Set(t.Context(), "session:1", "secret", 0).Err(); err != nil {
		t.Fatal(err)
	}
	chatsvc := client(t, addr, "chatsvc", "itspassword")
	if n, err := chatsvc.SCard(t.Context(), presencekey.OnlineUsers).Result(); err != nil || n != 1 {
		t.Errorf("chatsvc counts %d, error %v", n, err)
	}
	if err := chatsvc.MGet(t.Context(), presencekey.Status("alice"), presencekey.Seen("alice")).Err(); err != nil {
		t.Errorf("chatsvc reads: %v", err)
	}
	ctx := t.Context()
	for name, err := range map[string]error{
		"chatsvc writes":          chatsvc.SAdd(ctx, presencekey.OnlineUsers, "mallory").Err(),
		"chatsvc deletes":         chatsvc.Del(ctx, presencekey.OnlineUsers).Err(),
		"chatsvc empties all":     chatsvc.FlushAll(ctx).Err(),
		"chatsvc reads others":    chatsvc.Get(ctx, "session:1").Err(),
		"chatsvc lists keys":      chatsvc.Keys(ctx, "*").Err(),
		"chatsvc configures":      chatsvc.ConfigGet(ctx, "requirepass").Err(),
		"a wrong password":        client(t, addr, "chatsvc", "gatewayspassword").Get(ctx, "x").Err(),
		"nobody":                  client(t, addr, "", "").Get(ctx, "x").Err(),
		"another user's password": client(t, addr, "", "itspassword").Get(ctx, "x").Err(),
	} {
		if err == nil || !strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "NOAUTH") &&
			!strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func client(t *testing.T, addr, user, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Username: user, Password: password, MaxRetries: -1, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
