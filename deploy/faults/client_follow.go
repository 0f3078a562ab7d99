package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

const errorsID = "errors" // the subscription of /user/queue/errors

// follow is what a client has of one room. It is guarded by Client.mu.
type follow struct {
	room    int64
	wanted  bool     // false: unsubscribed, or refused for good
	session *Session // nil before the first subscription
	base    int64    // where a new session begins
	based   bool     // base is known
	last    int64    // the newest seq that came
	id      string   // of its subscription on the present connection; "" without one
	live    bool     // it had its RECEIPT
	number  int      // subscriptions so far
}

// unlink forgets the subscription.
func (f *follow) unlink() { f.id, f.live = "", false }

// wanted are the rooms to subscribe, in order. Call it under mu.
func (c *Client) wanted() []*follow {
	out := make([]*follow, 0, len(c.rooms))
	for _, f := range c.rooms {
		if f.wanted {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *follow) int { return cmp.Compare(a.room, b.room) })
	return out
}

// fixBases finds out where sessions begin that are to begin now.
func (c *Client) fixBases(ctx context.Context) error {
	if !c.cfg.FromNow {
		return nil
	}
	c.mu.Lock()
	rooms := slices.DeleteFunc(c.wanted(), func(f *follow) bool { return f.based })
	c.mu.Unlock()
	for _, f := range rooms {
		head, err := c.api.Head(ctx, f.room)
		if err != nil {
			return err
		}
		c.mu.Lock()
		f.base, f.last, f.based = head, head, true
		c.mu.Unlock()
	}
	return nil
}

// subscribe asks for everything after the last event that came. Without need it does nothing.
func (l *link) subscribe(f *follow) error {
	c := l.client
	c.mu.Lock()
	if l.ended || !f.wanted || f.id != "" {
		c.mu.Unlock()
		return nil
	}
	if f.session == nil {
		f.session = c.cfg.History.Begin(c.number, c.cfg.User, f.room, f.base)
	}
	f.number++
	id := strconv.FormatInt(f.room, 10) + "." + strconv.Itoa(f.number)
	f.id = id
	l.subs[id] = f
	receipt := l.askLocked(func(r reply) { l.subscribed(f, id, r) })
	message := appendFrame(nil, "SUBSCRIBE", nil, "id", id, "destination", topic(f.room),
		"last-seq", strconv.FormatInt(f.last, 10), "receipt", receipt)
	c.mu.Unlock()
	return l.write(message)
}

func topic(room int64) string { return "/topic/chat/" + strconv.FormatInt(room, 10) }

// subscribed takes the answer of SUBSCRIBE.
func (l *link) subscribed(f *follow, id string, r reply) {
	if r.lost {
		return
	}
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.code == "" {
		if f.id == id {
			f.live = true
		}
		if l.isLive() {
			c.cfg.History.note(l.record, func(r *Connection, now time.Duration) {
				if r.Live == 0 {
					r.Live = now
				}
			})
		}
		c.tell()
		return
	}
	delete(l.subs, id)
	if f.id == id {
		f.unlink()
	}
	if r.code == "FORBIDDEN" {
		c.expel(f)
		return
	}
	wait := max(r.retry, c.cfg.MinBackOff)
	time.AfterFunc(wait, func() { _ = l.subscribe(f) }) // what fails here is seen by the reader
}

// isLive says whether all wanted rooms are live. Call it under mu.
func (l *link) isLive() bool {
	if l.ended {
		return false
	}
	for _, f := range l.client.rooms {
		if f.wanted && !f.live {
			return false
		}
	}
	return true
}

// expel ends a room that the user was refused. Call it under mu.
func (c *Client) expel(f *follow) {
	f.wanted = false
	if f.session != nil {
		f.session.expel()
	}
	f.session = nil
	f.unlink()
	c.tell()
}

// evicted ends the subscriptions of a room that the user lost.
func (l *link) evicted(destination string) {
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, f := range l.subs {
		if topic(f.room) == destination {
			delete(l.subs, id)
			c.expel(f)
		}
	}
}

// deliver records an event of a log.
func (l *link) deliver(f *follow, body []byte, paged bool) error {
	c := l.client
	e, err := c.cfg.History.Decode(body)
	if err != nil {
		return &fatalError{err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Events++
	if f.session == nil {
		return nil // it is being unfollowed
	}
	f.session.Deliver(Delivery{Event: e, At: c.cfg.History.Now(), Conn: l.record.ID, Paged: paged})
	f.last = max(f.last, e.Seq)
	c.tell()
	return nil
}

// Follow begins to follow a room, from its seq 0; or does so again after Unfollow, or after the user was let in again:
// as a new session, from where the old one ended.
func (c *Client) Follow(room int64) error {
	c.mu.Lock()
	f := c.rooms[room]
	if f == nil {
		f = &follow{room: room}
		c.rooms[room] = f
	}
	f.wanted, f.base, f.based = true, f.last, true
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.subscribe(f)
}

// Unfollow unsubscribes a room and ends its session; it returns when the gateway has confirmed it, or is lost.
func (c *Client) Unfollow(ctx context.Context, room int64) error {
	c.mu.Lock()
	f := c.rooms[room]
	if f == nil || !f.wanted {
		c.mu.Unlock()
		return fmt.Errorf("unfollow room %d: it is not followed", room)
	}
	f.wanted = false
	c.mu.Unlock()
	err := c.unsubscribe(ctx, f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.session != nil {
		f.session.Leave()
		f.session = nil
	}
	return err
}

// Leave ends all sessions before the run does: what is not there yet is not expected of this client any more.
func (c *Client) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.rooms {
		if f.session != nil {
			f.session.Leave()
		}
		f.session, f.wanted = nil, false
	}
}

// errLost says that the connection ended first.
var errLost = errors.New("the connection was lost")

// Cycle unsubscribes and subscribes a room many times in one session; now and then it does not wait for the RECEIPT of
// SUBSCRIBE. A loss in between counts as a cycle.
func (c *Client) Cycle(ctx context.Context, room int64, times int) error {
	c.mu.Lock()
	f := c.rooms[room]
	c.mu.Unlock()
	if f == nil {
		return fmt.Errorf("cycle room %d: it is not followed", room)
	}
	for range times {
		c.mu.Lock()
		patient := c.rand.IntN(4) > 0
		c.mu.Unlock()
		err := c.await(ctx, func() bool { return c.link != nil && f.id != "" && (f.live || !patient) })
		if err != nil {
			return fmt.Errorf("%s waits for its subscription to room %d: %w", c.cfg.User, room, err)
		}
		if err := c.unsubscribe(ctx, f); err != nil {
			if errors.Is(err, errLost) {
				continue
			}
			return err
		}
		c.mu.Lock()
		l := c.link
		c.mu.Unlock()
		if l != nil {
			_ = l.subscribe(f) // after a loss it is subscribed by the next connection
		}
	}
	return nil
}

// unsubscribe ends a room's present subscription, if it has one.
func (c *Client) unsubscribe(ctx context.Context, f *follow) error {
	done := make(chan reply, 1)
	c.mu.Lock()
	l, id := c.link, f.id
	if l == nil || id == "" {
		c.mu.Unlock()
		return nil
	}
	receipt := l.askLocked(func(r reply) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(l.subs, id)
		if f.id == id {
			f.unlink()
		}
		done <- r
	})
	c.mu.Unlock()
	if receipt == "" {
		return errLost
	}
	if err := l.write(appendFrame(nil, "UNSUBSCRIBE", nil, "id", id, "receipt", receipt)); err != nil {
		return errLost
	}
	select {
	case r := <-done:
		if r.lost {
			return errLost
		}
		if r.code != "" {
			return fmt.Errorf("UNSUBSCRIBE was refused: %s %s", r.code, r.text)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
