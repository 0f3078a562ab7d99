package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/fliliy/chat/deploy/allinone"
	"github.com/fliliy/chat/deploy/faults"
)

// patience is how long anything may take before a test gives up on it. It asserts no speed.
const patience = 2 * time.Minute

// rig is an embedded system with two gateways, one History, and clients that run to the end of the test.
type rig struct {
	t       *testing.T
	ctx     context.Context
	options allinone.Options
	stack   *allinone.Stack
	history *faults.History
	rooms   []int64
	clients int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	const any = "127.0.0.1:0"
	r := &rig{t: t, ctx: ctx, history: faults.NewHistory(), options: allinone.Options{
		GatewayAddrs: []string{any, any}, ChatsvcAddr: any, NATSAddr: any, RedisAddr: any, DataDir: t.TempDir(),
	}}
	r.start()
	t.Cleanup(r.stop)
	for i, gateway := range r.stack.Gateways {
		r.options.GatewayAddrs[i] = gateway.Addr() // a restart listens where clients look for it
	}
	return r
}

func (r *rig) start() {
	r.t.Helper()
	stack, err := allinone.Start(r.ctx, r.options)
	if err != nil {
		r.t.Fatalf("start the system: %v", err)
	}
	r.stack = stack
}

func (r *rig) stop() {
	r.t.Helper()
	if err := r.stack.Stop(); err != nil {
		r.t.Errorf("stop the system: %v", err)
	}
}

func (r *rig) gateways() []string {
	urls := make([]string, len(r.options.GatewayAddrs))
	for i, addr := range r.options.GatewayAddrs {
		urls[i] = "ws://" + addr + "/ws"
	}
	return urls
}

func (r *rig) token(user string) func() string {
	r.t.Helper()
	token, err := r.stack.Token(user)
	r.must(err)
	return func() string { return token }
}

func (r *rig) api(user string) *faults.API {
	return &faults.API{Base: func() string { return "http://" + r.options.GatewayAddrs[0] }, Token: r.token(user)}
}

// room makes a room and records who is in it.
func (r *rig) room(owner string, members ...string) int64 {
	r.t.Helper()
	before := r.history.Now()
	room, err := r.api(owner).CreateRoom(r.ctx, "faults", members...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, user := range append(members, owner) {
		r.history.Member(room, user, before)
	}
	r.rooms = append(r.rooms, room)
	return room
}

// client runs a client until the end of the test and waits until it is live; change may alter what it is like.
func (r *rig) client(user string, rooms []int64, change ...func(*faults.ClientConfig)) *faults.Client {
	r.t.Helper()
	r.clients++
	cfg := faults.ClientConfig{
		User: user, Token: r.token(user), Gateways: r.gateways(), Rooms: rooms,
		Seed: uint64(r.clients), History: r.history, DialTimeout: patience,
	}
	for _, alter := range change {
		alter(&cfg)
	}
	c := faults.NewClient(cfg)
	ctx, stop := context.WithCancel(context.WithoutCancel(r.ctx))
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.must(c.AwaitLive(r.ctx))
	return c
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// send sends a message and returns its receipt.
func (r *rig) send(c *faults.Client, room int64, content string) faults.Receipt {
	r.t.Helper()
	receipt, err := c.Send(r.ctx, room, content)
	r.must(err)
	return receipt
}

// fill sends n messages, several at a time, and returns the room's head.
func (r *rig) fill(c *faults.Client, room int64, n int) int64 {
	r.t.Helper()
	return r.fillWith(c, room, n, "text")
}

// fillWith is fill with a given content.
func (r *rig) fillWith(c *faults.Client, room int64, n int, content string) int64 {
	r.t.Helper()
	const lanes = 50
	failed := make(chan error, lanes)
	for lane := range lanes {
		go func() {
			for i := lane; i < n; i += lanes {
				if _, err := c.Send(r.ctx, room, content); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range lanes {
		r.must(<-failed)
	}
	return r.head(c.User(), room)
}

func (r *rig) head(user string, room int64) int64 {
	r.t.Helper()
	head, err := r.api(user).Head(r.ctx, room)
	r.must(err)
	return head
}

// log reads a whole room as one of its members.
func (r *rig) log(user string, room int64) []faults.StoredEvent {
	r.t.Helper()
	var all []faults.StoredEvent
	for {
		page, err := r.api(user).After(r.ctx, room, int64(len(all)), 1000)
		r.must(err)
		for _, body := range page.Events {
			e, err := r.history.Decode(body)
			r.must(err)
			all = append(all, faults.StoredEvent{
				Room: e.Room, Seq: e.Seq, Kind: e.Kind, Sender: e.Sender,
				MessageID: e.MessageID, ClientMessageID: e.ClientMessageID, Change: e.Change,
			})
		}
		if int64(len(all)) >= page.HeadSeq {
			return all
		}
	}
}

// check compares all rooms, read as this user, with the History, which has to be clean.
func (r *rig) check(user string) *faults.Report {
	r.t.Helper()
	var stored []faults.StoredEvent
	for _, room := range r.rooms {
		stored = append(stored, r.log(user, room)...)
	}
	report := faults.Check(r.history, stored)
	if !report.Clean() {
		r.t.Errorf("the check found violations:\n%s", report)
	}
	return report
}
