package presence_test

import (
	"strings"
	"testing"

	"github.com/fliliy/chat/gateway/internal/presence"
)

// step is something that happens, and what operators see once it has settled.
type step struct {
	do   func(a, b *presence.Presence)
	want keys
}

var transitions = []struct {
	name  string
	steps []step
}{
	{"a session comes and goes", []step{
		{
			func(a, _ *presence.Presence) { a.Connect("s1", "alice") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
		{func(a, _ *presence.Presence) { a.Disconnect("s1", "alice") }, keys{}},
	}},
	{"a room is entered and left", []step{
		{
			func(a, _ *presence.Presence) { a.Connect("s1", "alice"); a.Enter("s1", "alice", 42) },
			keys{
				"websocket:online_users": "alice", "websocket:user:status:alice": "online",
				"websocket:chatroom:users:42": "alice", "websocket:user:chatrooms:alice": "42",
			},
		},
		{
			func(a, _ *presence.Presence) { a.Leave("s1", "alice", 42) },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
	}},
	{"disconnect leaves all rooms", []step{
		{
			func(a, b *presence.Presence) {
				a.Connect("s1", "alice")
				a.Enter("s1", "alice", 1)
				a.Enter("s1", "alice", 9223372036854775807)
				b.Connect("s2", "bob")
				b.Enter("s2", "bob", 1)
			},
			keys{
				"websocket:online_users": "alice|bob", "websocket:user:status:alice": "online",
				"websocket:user:status:bob": "online", "websocket:chatroom:users:1": "alice|bob",
				"websocket:chatroom:users:9223372036854775807": "alice",
				"websocket:user:chatrooms:alice":               "1|9223372036854775807",
				"websocket:user:chatrooms:bob":                 "1",
			},
		},
		{
			func(a, _ *presence.Presence) { a.Disconnect("s1", "alice") },
			keys{
				"websocket:online_users": "bob", "websocket:user:status:bob": "online",
				"websocket:chatroom:users:1": "bob", "websocket:user:chatrooms:bob": "1",
			},
		},
	}},
	{"two devices on two gateways: the last one counts", []step{
		{
			func(a, b *presence.Presence) {
				a.Connect("s1", "alice")
				a.Enter("s1", "alice", 1)
				a.Enter("s1", "alice", 2)
				b.Connect("s2", "alice")
				b.Enter("s2", "alice", 2)
			},
			keys{
				"websocket:online_users": "alice", "websocket:user:status:alice": "online",
				"websocket:chatroom:users:1": "alice", "websocket:chatroom:users:2": "alice",
				"websocket:user:chatrooms:alice": "1|2",
			},
		},
		{
			func(a, _ *presence.Presence) { a.Disconnect("s1", "alice") },
			keys{
				"websocket:online_users": "alice", "websocket:user:status:alice": "online",
				"websocket:chatroom:users:2": "alice", "websocket:user:chatrooms:alice": "2",
			},
		},
		{func(_, b *presence.Presence) { b.Disconnect("s2", "alice") }, keys{}},
	}},
	{"two devices on one gateway: a room counts sessions", []step{
		{
			func(a, _ *presence.Presence) {
				a.Connect("s1", "alice")
				a.Connect("s2", "alice")
				a.Enter("s1", "alice", 1)
				a.Enter("s2", "alice", 1)
				a.Leave("s1", "alice", 1)
			},
			keys{
				"websocket:online_users": "alice", "websocket:user:status:alice": "online",
				"websocket:chatroom:users:1": "alice", "websocket:user:chatrooms:alice": "1",
			},
		},
		{
			func(a, _ *presence.Presence) { a.Disconnect("s2", "alice") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
	}},
	{"a room entered twice has to be left twice", []step{
		{
			func(a, _ *presence.Presence) {
				a.Connect("s1", "alice")
				a.Enter("s1", "alice", 1)
				a.Enter("s1", "alice", 1)
				a.Leave("s1", "alice", 1)
			},
			keys{
				"websocket:online_users": "alice", "websocket:user:status:alice": "online",
				"websocket:chatroom:users:1": "alice", "websocket:user:chatrooms:alice": "1",
			},
		},
		{
			func(a, _ *presence.Presence) { a.Leave("s1", "alice", 1); a.Leave("s1", "alice", 1) },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
	}},
	{"status: busy wins over online, online over away, on all gateways", []step{
		{
			func(a, _ *presence.Presence) { a.Connect("s1", "alice"); a.SetStatus("s1", "alice", "away") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "away"},
		},
		{
			func(_, b *presence.Presence) { b.Connect("s2", "alice") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
		{
			func(a, _ *presence.Presence) { a.Connect("s3", "alice"); a.SetStatus("s3", "alice", "busy") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "busy"},
		},
		{
			func(a, _ *presence.Presence) { a.SetStatus("s3", "alice", "online"); a.SetStatus("s1", "alice", "x") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "online"},
		},
		{
			func(a, b *presence.Presence) { a.Disconnect("s3", "alice"); b.Disconnect("s2", "alice") },
			keys{"websocket:online_users": "alice", "websocket:user:status:alice": "away"},
		},
	}},
	{"what is not connected, or is someone else's session, changes nothing", []step{
		{
			func(a, b *presence.Presence) {
				a.Enter("s1", "alice", 1)
				a.Disconnect("s1", "alice")
				a.Connect("s2", "bob")
				a.Enter("s2", "alice", 1)
				a.SetStatus("s2", "alice", "busy")
				a.Disconnect("s2", "alice")
				b.Disconnect("s2", "bob")
				a.Connect("s2", "carol")
			},
			keys{"websocket:online_users": "bob", "websocket:user:status:bob": "online"},
		},
	}},
	{"user ids with the marks of Redis and of our names", []step{
		{
			func(a, _ *presence.Presence) {
				for _, user := range []string{"a", "a:b", "{a}", "a*", "a b", "売り手", "busy", "status:a"} {
					a.Connect("of "+user, user)
				}
				a.Enter("of {a}", "{a}", 7)
				a.Enter("of a b", "a b", 7)
				for _, user := range []string{"a", "a*", "busy", "status:a"} {
					a.Disconnect("of "+user, user)
				}
			},
			keys{
				"websocket:online_users":       "a b|a:b|{a}|売り手",
				"websocket:user:status:a:b":    "online",
				"websocket:user:status:{a}":    "online",
				"websocket:user:status:a b":    "online",
				"websocket:user:status:売り手":    "online",
				"websocket:chatroom:users:7":   "a b|{a}",
				"websocket:user:chatrooms:{a}": "7", "websocket:user:chatrooms:a b": "7",
			},
		},
	}},
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		for _, c := range transitions {
			t.Run(c.name, func(t *testing.T) {
				rdb := dial(t, s.Addr())
				a, b := runGateway(t, s.Addr(), quick), runGateway(t, s.Addr(), quick)
				for _, step := range c.steps {
					step.do(a.Presence, b.Presence)
					a.settle(t, rdb)
					b.settle(t, rdb)
					wantKeys(t, rdb, step.want)
				}
				a.stop(t)
				b.stop(t)
				wantKeys(t, rdb, keys{})
				for _, left := range rdb.Keys(t.Context(), "*").Val() {
					if !strings.HasPrefix(left, presence.SeenKey("")) {
						t.Errorf("key %q left in Redis after all gateways stopped", left)
					}
				}
			})
		}
	})
}
