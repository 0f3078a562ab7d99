package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	crowdTimeout  = 2 * time.Minute  // for all clients to be connected and live
	settleTimeout = 90 * time.Second // for everything to arrive once all is healed
	keeper        = "keeper"         // makes all rooms, is in each of them, and has no client
	twin          = "twin"           // has two devices, for repeats
	slow          = "slow"           // stops reading
)

// crowd is the clients of a run, their rooms, and what they say to each other.
type crowd struct {
	history *History
	token   func(user string) string
	urls    []string // of the gateways, http
	seed    uint64
	api     *API // as the keeper

	rooms   []int64
	plaza   int64     // where everybody is a member, for the fault that needs a big room; nobody follows it before
	clients []*Client // one for each user
	roomsOf [][]int64 // by client

	mu     sync.Mutex
	failed []error // of clients that ended by themselves

	quiet sync.RWMutex // held for writing while nobody may talk, for reading around every message of the crowd

	running     sync.WaitGroup
	stopClients context.CancelFunc
	talking     sync.WaitGroup
	stopTalking context.CancelFunc // no new messages
	giveUp      context.CancelFunc // of messages that are not answered
}

// newCrowd makes the rooms and puts the users into them; gathered calls of REST, before anything is broken.
func newCrowd(ctx context.Context, c *cluster, o *Options) (*crowd, error) {
	tokens := map[string]string{}
	for _, user := range users(o.Clients, keeper, twin, slow) {
		token, err := c.token(user)
		if err != nil {
			return nil, err
		}
		tokens[user] = token
	}
	d := &crowd{
		history: NewHistory(), token: func(user string) string { return tokens[user] }, urls: c.urls(), seed: o.Seed,
	}
	d.api = &API{Base: func() string { return d.urls[0] }, Token: func() string { return tokens[keeper] }}
	members, random := make([][]string, o.Rooms), rand.New(rand.NewPCG(o.Seed, 1)) //nolint:gosec // reproducible
	of := make([][]int, o.Clients)
	for i := range o.Clients {
		of[i] = random.Perm(o.Rooms)[:min(o.RoomsEach, o.Rooms)]
		for _, room := range of[i] {
			members[room] = append(members[room], user(i))
		}
	}
	members[0] = append(members[0], twin)
	for i := range members {
		room, err := d.newRoom(ctx, "room "+strconv.Itoa(i), members[i])
		if err != nil {
			return nil, err
		}
		d.rooms = append(d.rooms, room)
	}
	var err error
	if d.plaza, err = d.newRoom(ctx, "plaza", users(o.Clients, slow)); err != nil {
		return nil, err
	}
	for i := range o.Clients {
		var rooms []int64
		for _, room := range of[i] {
			rooms = append(rooms, d.rooms[room])
		}
		d.roomsOf = append(d.roomsOf, rooms)
		d.clients = append(d.clients, d.newClient(user(i), uint64(i), d.sockets(), rooms...)) //nolint:gosec // i >= 0
	}
	return d, nil
}

func user(i int) string { return "u" + strconv.Itoa(i) }

// users are the names of n users and some more.
func users(n int, more ...string) []string {
	all := make([]string, n, n+len(more))
	for i := range all {
		all[i] = user(i)
	}
	return append(all, more...)
}

// newRoom makes a room of the keeper's and records who is in it.
func (d *crowd) newRoom(ctx context.Context, name string, members []string) (int64, error) {
	const atOnce = 100 // members of one call
	began := d.history.Now()
	room, err := d.api.CreateRoom(ctx, name, members[:min(atOnce, len(members))]...)
	for at := atOnce; err == nil && at < len(members); at += atOnce {
		err = d.api.AddMembers(ctx, room, members[at:min(at+atOnce, len(members))]...)
	}
	if err != nil {
		return 0, err
	}
	for _, member := range append(members, keeper) {
		d.history.Member(room, member, began)
	}
	return room, nil
}

// sockets are the WebSocket URLs of the gateways.
func (d *crowd) sockets() []string {
	all := make([]string, len(d.urls))
	for i := range d.urls {
		all[i] = d.socket(i)
	}
	return all
}

func (d *crowd) socket(gateway int) string { return "ws" + d.urls[gateway][len("http"):] + "/ws" }

// newClient makes a client of a user. number is what tells its random choices from those of others.
func (d *crowd) newClient(user string, number uint64, gateways []string, rooms ...int64) *Client {
	return NewClient(ClientConfig{
		User: user, Token: func() string { return d.token(user) }, Gateways: gateways, Rooms: rooms,
		Seed: d.seed*1_000_000 + number, History: d.history,
	})
}

// start connects all clients and, when all are live, has them talk: rate messages a second all together, as long as
// they are answered.
func (d *crowd) start(ctx context.Context, rate float64) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stopClients = stop
	for _, c := range d.clients {
		d.run(running, c)
	}
	live, cancel := context.WithTimeout(ctx, crowdTimeout)
	defer cancel()
	if err := d.awaitLive(live); err != nil {
		return err
	}
	var asking, talking context.Context
	asking, d.giveUp = context.WithCancel(running)
	talking, d.stopTalking = context.WithCancel(asking)
	every := time.Duration(float64(time.Second) * float64(len(d.clients)) / rate)
	for i, c := range d.clients {
		random := rand.New(rand.NewPCG(d.seed, uint64(i)+1000)) //nolint:gosec // reproducible
		d.talking.Go(func() { d.talk(talking, asking, c, talk{every, d.roomsOf[i], random}) })
	}
	return nil
}

// run keeps a client running until the context ends.
func (d *crowd) run(ctx context.Context, c *Client) {
	d.running.Go(func() {
		if err := c.Run(ctx); err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.failed = append(d.failed, err)
		}
	})
}

// talk is how a client talks.
type talk struct {
	every  time.Duration
	rooms  []int64
	random *rand.Rand
}

// talk says something in one of the client's rooms again and again; each message is asked about until it is answered.
func (d *crowd) talk(ctx, asking context.Context, c *Client, t talk) {
	wait := time.Duration(t.random.Int64N(int64(t.every)))
	for pause(ctx, wait) {
		began := time.Now()
		room := t.rooms[t.random.IntN(len(t.rooms))]
		// A refusal is in the History, where the check looks for it; the others are given up by the end of the run.
		d.quiet.RLock()
		_, _ = c.Send(asking, room, "Is it still available? I could come by at six and pay in cash.")
		d.quiet.RUnlock()
		wait = max(0, t.every/2+time.Duration(t.random.Int64N(int64(t.every)))-time.Since(began))
	}
}

// allHave says whether everybody in a room has everything up to a seq.
func (d *crowd) allHave(room, seq int64) bool {
	for i, c := range d.clients {
		if slices.Contains(d.roomsOf[i], room) && !c.CaughtUp(room, seq) {
			return false
		}
	}
	return true
}

// awaitLive waits until all clients are connected and subscribed.
func (d *crowd) awaitLive(ctx context.Context) error {
	for _, c := range d.clients {
		if err := c.AwaitLive(ctx); err != nil {
			return errors.Join(err, d.failure())
		}
	}
	return nil
}

// failure is what ended clients that should run.
func (d *crowd) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.failed...)
}

// settle lets the clients say no more, and waits until all messages are answered and everybody has everything.
func (d *crowd) settle(ctx context.Context, heads map[int64]int64) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for i, c := range d.clients {
		for _, room := range d.roomsOf[i] {
			if err := c.AwaitSeq(ctx, room, heads[room]); err != nil {
				return fmt.Errorf("not everything arrives within %v of the last fault: %w", settleTimeout, err)
			}
		}
	}
	return nil
}

// hush ends the talk: no new messages, and those under way have a while to be answered.
func (d *crowd) hush() {
	d.stopTalking()
	timer := time.AfterFunc(settleTimeout, d.giveUp)
	defer timer.Stop()
	d.talking.Wait()
	d.giveUp()
}

// stop disconnects all clients.
func (d *crowd) stop() {
	if d.stopClients == nil {
		return
	}
	d.stopClients()
	d.talking.Wait()
	d.running.Wait()
}
