package swarm

import (
	"strconv"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

// client is one user's connection and all that outlives it.
type client struct {
	conn   *sockets.Conn // nil while it is down
	stage  stage
	waits  int           // receipts until it is live
	tries  int           // connections begun
	since  time.Duration // when the newest one was
	subs   []sub
	joined bool // it has been live before
}

// stage is how far a connection is.
type stage uint8

const (
	down stage = iota
	opening
	connecting
	subscribing
	live
)

// sub is a user's part in a room: the subscription, and what the user sends there.
type sub struct {
	room    int
	sender  int     // index among the members, -1: does not send
	tracks  []track // by sender
	lastSeq uint64
	sent    uint32
	acks    track
}

// room is what the clients of this swarm share of a room.
type room struct {
	number  []byte  // in decimal
	locals  int     // members in this swarm
	sender  *sender // where it has one only, and here
	flights []flight
}

// flight is a message on its way to all members, where a room has one sender.
type flight struct {
	number uint32
	left   int // members here that do not have it yet
}

// flights is how many messages of a room are followed at a time.
const flights = 4096

func newClients(plan *Plan, layout *scenario.Layout) []client {
	clients := make([]client, plan.Count)
	for i := range clients {
		user := plan.First + i
		clients[i].subs = make([]sub, len(layout.RoomsOf[user]))
		for j, r := range layout.RoomsOf[user] {
			s := &clients[i].subs[j]
			senders := min(plan.Scenario.Rooms.Senders, len(layout.Members[r]))
			s.room, s.sender, s.tracks = r, -1, make([]track, senders)
			for at, member := range layout.Members[r][:senders] {
				if member == user {
					s.sender = at
				}
			}
		}
	}
	return clients
}

func newRooms(plan *Plan, layout *scenario.Layout) []room {
	rooms := make([]room, len(layout.Members))
	for r, members := range layout.Members {
		rooms[r].number = strconv.AppendInt(nil, plan.Rooms[r], 10)
		for _, user := range members {
			if user >= plan.First && user < plan.First+plan.Count {
				rooms[r].locals++
			}
		}
		if plan.Scenario.Rooms.Senders == 1 && rooms[r].locals > 0 {
			rooms[r].flights = make([]flight, flights)
		}
	}
	return rooms
}

// find is the client's part in a room, or nil.
func (c *client) find(room uint32) *sub {
	for i := range c.subs {
		if c.subs[i].room == int(room) {
			return &c.subs[i]
		}
	}
	return nil
}

// dial begins the client's next connection.
func (s *Swarm) dial(i int) {
	c := &s.clients[i]
	server := s.plan.Servers[(s.plan.First+i+c.tries)%len(s.plan.Servers)]
	c.tries++
	c.since, c.stage = s.loop.Refresh(), opening
	conn, err := s.loop.Dial(i, s.plan.Source, server, s.plan.Target.Path)
	if err != nil {
		s.lost(i, err)
		return
	}
	c.conn = conn
}

// Opened says CONNECT.
func (s *Swarm) Opened(conn *sockets.Conn) {
	i := conn.Owner
	s.clients[i].stage = connecting
	values := s.valuesOf(i)
	frame := append(s.out[:0], "CONNECT\naccept-version:1.2\n"...)
	for _, header := range s.text.login {
		frame = append(append(frame, header.name...), ':')
		frame = append(header.value.Append(frame, values), '\n')
	}
	s.transmit(i, append(frame, "\n\x00"...))
}

// subscribe asks for everything that a client has.
func (s *Swarm) subscribe(i int) {
	c := &s.clients[i]
	c.stage, c.waits = subscribing, len(c.subs)+len(s.text.queues)
	for j, queue := range s.text.queues {
		frame := append(s.out[:0], "SUBSCRIBE\nid:q"...)
		frame = strconv.AppendInt(frame, int64(j), 10)
		frame = append(append(frame, "\ndestination:"...), queue...)
		s.transmit(i, append(frame, "\nreceipt:s\n\n\x00"...))
	}
	values := s.valuesOf(i)
	for j := range c.subs {
		values[scenario.Room] = s.rooms[c.subs[j].room].number
		frame := append(s.out[:0], "SUBSCRIBE\nid:"...)
		frame = strconv.AppendInt(frame, int64(j), 10)
		frame = append(frame, "\ndestination:"...)
		frame = s.text.topic.Append(frame, values)
		if c.joined && s.plan.Target.Resume != "" {
			frame = append(append(append(frame, '\n'), s.plan.Target.Resume...), ':')
			frame = strconv.AppendUint(frame, c.subs[j].lastSeq, 10)
		}
		s.transmit(i, append(frame, "\nreceipt:s\n\n\x00"...))
	}
}

// subscribed notes one receipt of those that make a client live.
func (s *Swarm) subscribed(i int) {
	c := &s.clients[i]
	if c.waits--; c.stage != subscribing || c.waits > 0 {
		return
	}
	c.stage = live
	s.live++
	s.underway--
	s.account.second.Connects++
	s.account.record(ConnectTime, s.loop.Now()-c.since)
	s.resend(i)
	c.joined = true
	s.dialMore()
	s.allLive()
}

// cut ends a client's connection from our side; it comes back.
func (s *Swarm) cut(i int) {
	c := &s.clients[i]
	s.loop.Close(c.conn)
	s.account.second.Cut++
	s.forget(i)
	s.waiting = append(s.waiting, i)
}

// lost is a connection that ended by itself, or could not be made. It is tried again a little later.
func (s *Swarm) lost(i int, err error) {
	s.account.second.Broken++
	s.account.sample("connection of user %d: %v", s.plan.First+i, err)
	s.forget(i)
	s.later = append(s.later, later{s.loop.Now() + retryAfter, func() {
		s.waiting = append(s.waiting, i)
		s.dialMore()
	}})
	s.arm()
}

// forget takes a client that is down out of the counts.
func (s *Swarm) forget(i int) {
	c := &s.clients[i]
	if c.stage == live {
		s.live--
	} else {
		s.underway--
	}
	c.conn, c.stage = nil, down
}

// Closed is a connection that ended by itself.
func (s *Swarm) Closed(conn *sockets.Conn, err error) { s.lost(conn.Owner, err) }

// dialMore begins as many connections as may be under way.
func (s *Swarm) dialMore() {
	for len(s.waiting) > 0 && s.underway < s.atOnce {
		i := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.underway++
		s.dial(i)
	}
}

// valuesOf are the template values that a user has everywhere.
func (s *Swarm) valuesOf(i int) *scenario.Values {
	s.values[scenario.User] = append(s.values[scenario.User][:0], scenario.Name(s.plan.Run, s.plan.First+i)...)
	if len(s.plan.Tokens) > 0 {
		s.values[scenario.Token] = []byte(s.plan.Tokens[i])
	}
	return &s.values
}

// transmit sends a frame that was built in s.out.
func (s *Swarm) transmit(i int, frame []byte) {
	s.out = frame
	conn := s.clients[i].conn
	if conn == nil {
		return
	}
	if err := s.loop.Send(conn, frame); err != nil {
		s.loop.Close(conn)
		s.lost(i, err)
	}
}
