package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/deploy/fleet"
)

const (
	rosterEvery  = 100 * time.Millisecond // between two looks
	onlineKey    = "websocket:online_users"
	graceKey     = "fliliy:presence:grace"
	presentAfter = time.Second      // a user is shown by then, once she is connected
	debounced    = 2 * time.Second  // a little less than the gateways' debounce
	leased       = 8 * time.Second  // and than the time after which a silent gateway is dead
	presenceBar  = 15 * time.Second // for the keys to be right again
	presenceWait = 45 * time.Second // for the bar to be missed, too
	graceTime    = 13 * time.Second // by then all is told that was held back
)

// roster is what Redis shows of who is online, looked at again and again as an operator would, past all proxies. What it
// has seen may be read when it has stopped.
type roster struct {
	history *History
	rdb     *redis.Client
	running sync.WaitGroup
	stop    context.CancelFunc

	mu      sync.Mutex
	online  map[string]bool
	looked  time.Duration // when it last got an answer
	changes []sighting
}

// sighting is a change of what is shown of a user.
type sighting struct {
	user   string
	online bool
	at     time.Duration
}

func watchRoster(history *History, addr string) *roster {
	ctx, stop := context.WithCancel(context.Background())
	r := &roster{
		history: history, stop: stop, online: map[string]bool{},
		rdb: redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true}),
	}
	r.running.Go(func() {
		for pause(ctx, rosterEvery) {
			r.look(ctx)
		}
	})
	return r
}

// close ends the watch.
func (r *roster) close() error {
	r.stop()
	r.running.Wait()
	return r.rdb.Close()
}

// look notes who has come and gone since the last look. Where Redis is away nothing is shown, so nothing is noted.
func (r *roster) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	members, err := r.rdb.SMembers(ctx, onlineKey).Result()
	if err != nil {
		return
	}
	now := make(map[string]bool, len(members))
	for _, user := range members {
		now[user] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = r.history.Now()
	for user := range now {
		if !r.online[user] {
			r.changes = append(r.changes, sighting{user, true, r.looked})
		}
	}
	for user := range r.online {
		if !now[user] {
			r.changes = append(r.changes, sighting{user, false, r.looked})
		}
	}
	r.online = now
}

// shows says whether those, and only those, of the users who are to be online are shown so, by a look after a moment.
func (r *roster) shows(want map[string]bool, after time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.looked <= after || len(r.online) != len(want) {
		return false
	}
	for user := range want {
		if !r.online[user] {
			return false
		}
	}
	return true
}

// hidden says whether none of the users is shown.
func (r *roster) hidden(users []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(users, func(user string) bool { return r.online[user] })
}

// present are the users with a connection that stands.
func (h *History) present() map[string]bool {
	users := map[string]bool{}
	for _, c := range h.Connections() {
		if c.Connected > 0 && c.Ended == 0 {
			users[c.User] = true
		}
	}
	return users
}

// truth waits until Redis shows exactly those who are connected, and returns how long that took; longer than the wait if
// it did not.
func (n *nemesis) truth(ctx context.Context) time.Duration {
	since := n.now()
	if !fleet.Poll(ctx, presenceWait, func() bool { return n.roster.shows(n.crowd.history.present(), since) }) {
		return presenceWait
	}
	return n.now() - since
}

// falselyOffline are the users whom the keys showed offline in a window although they were connected, or had been so
// shortly before.
func (f *facts) falselyOffline(r *roster, w window, before time.Duration) []string {
	var users []string
	for _, s := range r.changes {
		if !s.online && s.at >= w.from && s.at < w.to && f.connected(s.user, s.at-before, s.at) {
			users = append(users, s.user)
		}
	}
	return users
}

// falselyTold are the users of whom a USER_STATUS event said in a window that they went although they were there, or
// that they came although they had been there all the time.
func (f *facts) falselyTold(h *History, w window) []string {
	var users []string
	for _, s := range h.Statuses() {
		if s.At < w.from || s.At >= w.to {
			continue
		}
		gone := s.Status == "offline" && f.connected(s.User, s.At-debounced, s.At)
		came := s.Status == "online" && f.stayed(s.User, w.from, s.At)
		if gone || came {
			users = append(users, s.User)
		}
	}
	return users
}

// connected says whether a user had a connection in a stretch of time that was not too fresh to be known.
func (f *facts) connected(user string, from, to time.Duration) bool {
	return slices.ContainsFunc(f.conns, func(c Connection) bool {
		return c.User == user && c.Connected > 0 && c.Connected < to-presentAfter && (c.Ended == 0 || c.Ended > from)
	})
}

// stayed says whether one connection of a user stood through a stretch of time.
func (f *facts) stayed(user string, from, to time.Duration) bool {
	return slices.ContainsFunc(f.conns, func(c Connection) bool {
		return c.User == user && c.Connected > 0 && c.Connected < from-presentAfter && (c.Ended == 0 || c.Ended > to)
	})
}

// names prints who, and how many.
func names(users []string) string {
	if len(users) == 0 {
		return "0"
	}
	slices.Sort(users)
	users = slices.Compact(users)
	return fmt.Sprintf("%d (%s…)", len(users), users[0])
}
