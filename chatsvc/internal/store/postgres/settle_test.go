package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// cutter passes everything on between a store and its server, and cuts the connection at a commit, once, when it is
// told to: after the server has committed, or before it has heard of it.
type cutter struct {
	after, before atomic.Bool
	alone         atomic.Bool // an execution that is synchronised at once counts as a commit, too
	cuts          atomic.Int32
}

// cutterTo returns a cutter and the URL at which it stands before the server.
func cutterTo(t *testing.T, database string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c, target := new(cutter), u.Host
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(client, target)
		}
	}()
	u.Host = listener.Addr().String()
	return c, u.String()
}

func (c *cutter) serve(client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var deaf atomic.Bool // the client hears no answers any more
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		commit := bytes.Equal(buffer[:n], []byte("Q\x00\x00\x00\x0bcommit\x00")) ||
			c.alone.Load() && bytes.HasSuffix(buffer[:n], []byte("E\x00\x00\x00\x09\x00\x00\x00\x00\x00S\x00\x00\x00\x04"))
		if commit && c.before.CompareAndSwap(true, false) {
			c.cuts.Add(1)
			return
		}
		cut := commit && c.after.CompareAndSwap(true, false)
		deaf.Store(cut)
		if _, err := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil {
			return
		}
		if cut {
			<-answered
			c.cuts.Add(1)
			return
		}
	}
}

func TestLostAnswerToACommitIsSettled(t *testing.T) {
	t.Parallel()
	cut, through := cutterTo(t, server.NewDatabase(t))
	store := open(t, through)
	defer store.Close()

	cut.after.Store(true)
	room, created, err := store.CreateRoom(t.Context(), chat.NewRoom{Name: "room", MemberIDs: []string{"alice", "bob"}})
	if err != nil || !created || cut.cuts.Load() != 1 {
		t.Fatalf("create: %+v, %v, %v after %d cuts", room, created, err, cut.cuts.Load())
	}
	if page, err := store.RoomsOf(t.Context(), "alice", 10, nil); err != nil || len(page) != 1 {
		t.Errorf("alice has %d rooms (%v), want 1", len(page), err)
	}
	cut.after.Store(true)
	outcome, err := store.ChangeMembers(t.Context(), chat.MemberAsk{Room: room.ID, By: "alice", Users: []string{"carol"}},
		joins("carol"))
	if err != nil || len(outcome.Events) != 1 || len(outcome.Audience[room.ID]) != 3 || cut.cuts.Load() != 2 {
		t.Errorf("add a member: %+v, %v after %d cuts", outcome, err, cut.cuts.Load())
	}
}

func TestCommitThatNeverArrivedIsNotStored(t *testing.T) {
	t.Parallel()
	cut, through := cutterTo(t, server.NewDatabase(t))
	store := open(t, through)
	defer store.Close()
	cut.before.Store(true)
	ask := chat.NewRoom{Name: "room", MemberIDs: []string{"alice", "bob"}}
	if _, _, err := store.CreateRoom(t.Context(), ask); !errors.Is(err, chat.ErrTransient) || cut.cuts.Load() != 1 {
		t.Fatalf("create: %v after %d cuts, want a transient error", err, cut.cuts.Load())
	}
	if page, err := store.RoomsOf(t.Context(), "alice", 10, nil); err != nil || len(page) != 0 {
		t.Errorf("alice has %d rooms (%v), want none", len(page), err)
	}
	room := newRoom(t, store)
	add := chat.MemberAsk{Room: room, By: "alice", Users: []string{"carol"}}
	cut.before.Store(true)
	if _, err := store.ChangeMembers(t.Context(), add, joins("carol")); !errors.Is(err, chat.ErrTransient) {
		t.Errorf("add a member: %v, want a transient error", err)
	}
	outcome, err := store.ChangeMembers(t.Context(), add, joins("carol"))
	if err != nil || len(outcome.Events) != 1 || outcome.Events[0].Seq != 1 {
		t.Errorf("the repeat: %+v, %v", outcome, err)
	}
}

func joins(user string) chat.MemberDecision {
	return func(chat.Membership) ([]chat.MemberChange, error) {
		return []chat.MemberChange{{UserID: user, Change: chat.Joined}}, nil
	}
}

// What is stored by one statement, that commits by itself, is settled as well, and stored once.
func TestLostAnswerToAKnownAppendIsSettled(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"it arrived": true, "it never arrived": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut, through := cutterTo(t, server.NewDatabase(t))
			store := open(t, through)
			defer store.Close()
			room := newRoom(t, store)
			for _, content := range []string{"read", "known, its statement prepared"} {
				if _, err := store.Append(t.Context(), [][]chat.Draft{say(room, content)}); err != nil {
					t.Fatal(err)
				}
			}
			cut.alone.Store(true)
			cut.after.Store(arrives)
			cut.before.Store(!arrives)
			_, done, err := store.AppendKnown(t.Context(), [][]chat.Draft{say(room, "in doubt")})
			doubt, ok := errors.AsType[*chat.InDoubt](err)
			if !done || !ok || cut.cuts.Load() != 1 {
				t.Fatalf("append: done %v, %v after %d cuts, want it in doubt", done, err, cut.cuts.Load())
			}
			appended, stored, err := doubt.Settle(t.Context())
			if err != nil || stored != arrives || stored && appended.Events[0].Seq != 3 {
				t.Errorf("settled: stored %v (%+v), %v; want %v", stored, appended.Events, err, arrives)
			}
			next, err := store.Append(t.Context(), [][]chat.Draft{say(room, "next")})
			want := int64(3)
			if arrives {
				want = 4
			}
			if err != nil || next.Events[0].Seq != want {
				t.Errorf("the next is %+v, %v; want seq %d", next.Events, err, want)
			}
		})
	}
}
