// Package limit says how often, and how many at once: connections, CONNECTs, SENDs, SUBSCRIBEs and REST requests, for
// one session, one user and one address; and messages of one room. It knows neither frames nor HTTP; the gateway's
// facade puts it in front of transports, sessions and REST, and runs it.
//
// Nothing here waits: what is over a limit is refused with RATE_LIMITED and the time after which it is worth another
// try. A session holds its user's and its address's buckets, so that a message costs no look-up, no allocation and no
// lock but theirs; a room is looked up, since most are silent and none of those shall have buckets. Users and rooms are
// limited over all gateways together: about once a second each gateway adds what they have spent to counters in Redis,
// and takes what they have spent elsewhere from their buckets. While Redis is away, each gateway limits by itself.
package limit

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
)

// Kind is what is done.
type Kind uint8

// The kinds. BadToken is a token that was refused: guessing is slowed down by address.
const (
	Connect Kind = iota
	Send
	Subscribe
	Request
	BadToken
	kinds
)

var names = [kinds]string{"connect", "send", "subscribe", "request", "bad_token"}

// Rates are the rates of one session, user or address, by Kind.
type Rates [kinds]Rate

// Config is what is allowed. A zero rate or count is no limit.
type Config struct {
	Session, User, Address Rates
	Room                   Rate // of messages
	// Strikes is how often a session may do what is refused before it is closed.
	Strikes Rate
	// At the same time, on this gateway.
	Connections           int // in total
	ConnectionsPerUser    int
	ConnectionsPerAddress int
}

// Options of Limits. All may be nil: then users are limited on this gateway alone, nothing is counted, nothing logged.
type Options struct {
	Redis   redis.UniversalClient
	Metrics *metrics.Metrics
	Logger  *slog.Logger
}

// Limits hold the buckets of one gateway. They are safe for concurrent use.
type Limits struct {
	cfg       Config
	opts      Options
	users     *parties
	addresses *parties
	rooms     *parties
	open      atomic.Int64 // connections in total
	away      atomic.Bool  // Redis is, as the last synchronisation found
}

// New makes limits; Run keeps them.
func New(cfg Config, opts Options) *Limits {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Limits{
		cfg: cfg, opts: opts,
		users: newParties(cfg.User), addresses: newParties(cfg.Address), rooms: newParties(Rates{Send: cfg.Room}),
	}
}

// Address is what a client's host or host:port is limited as: the IPv4 address, or the network of 64 bits that one
// IPv6 household has. It is "" for what is no address; there is no limit for that.
func Address(remote string) string {
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		port, err := netip.ParseAddrPort(remote)
		if err != nil {
			return ""
		}
		addr = port.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return ""
	}
	return network.String()
}

// Admit says whether one more connection may come from an address (host:port), before it is upgraded. It takes of the
// address's CONNECT rate.
func (l *Limits) Admit(remote string) *event.Error {
	if refused := l.isFull(); refused != nil {
		return refused
	}
	address := Address(remote)
	if address == "" {
		return nil
	}
	p := l.addresses.hold(address)
	defer l.addresses.drop(p)
	if most := l.cfg.ConnectionsPerAddress; most > 0 && p.count() >= most {
		return l.refuse("address_connections", crowdedRetry, "too many connections from this address: close one first")
	}
	return l.refuseAfter("address", Connect, p.take(Connect, time.Now()))
}

// crowdedRetry is how long a client that found all places taken had better wait.
const crowdedRetry = 5 * time.Second

func (l *Limits) isFull() *event.Error {
	if most := int64(l.cfg.Connections); most > 0 && l.open.Load() >= most {
		l.count("connections")
		return &event.Error{
			Code: event.Unavailable, Message: "this node is full: connect again", RetryAfter: crowdedRetry,
		}
	}
	return nil
}

// enter counts a connection that has come, or gone.
func (l *Limits) enter(n int64) {
	l.open.Add(n)
	if l.opts.Metrics != nil {
		l.opts.Metrics.Connections.Add(float64(n))
	}
}

// Open counts a connection that has been upgraded, until close is called, once. An error means that others were
// faster: it is not counted, and is to be closed.
func (l *Limits) Open(remote string) (closed func(), refused *event.Error) {
	if refused := l.isFull(); refused != nil {
		return nil, refused
	}
	p := l.addresses.hold(Address(remote))
	if p != nil && !p.enter(l.cfg.ConnectionsPerAddress) {
		l.addresses.drop(p)
		return nil, l.refuse("address_connections", crowdedRetry, "too many connections from this address: close one first")
	}
	l.enter(1)
	return func() {
		l.enter(-1)
		if p != nil {
			p.leave()
			l.addresses.drop(p)
		}
	}, nil
}

// Request says whether a REST request of a user from an address may be served. The user "" is not known yet.
func (l *Limits) Request(user, remote string) *event.Error {
	if user != "" {
		p := l.users.hold(user)
		defer l.users.drop(p)
		return l.refuseAfter("user", Request, p.take(Request, time.Now()))
	}
	return l.ofAddress(remote, Request, true)
}

// floodCost is how many CONNECTs a flood counts for: it costs about as much, until it is cut.
const floodCost = 50

// Flooded notes a connection that was cut for a flood: its address may open fewer for a while.
func (l *Limits) Flooded(remote string) {
	p := l.addresses.hold(Address(remote))
	if p == nil {
		return
	}
	defer l.addresses.drop(p)
	p.charge(Connect, floodCost, time.Now())
}

// Guesses says whether an address may show a token: not after it has shown too many bad ones.
func (l *Limits) Guesses(remote string) *event.Error { return l.ofAddress(remote, BadToken, false) }

// Guessed notes a bad token.
func (l *Limits) Guessed(remote string) {
	if p := l.addresses.hold(Address(remote)); p != nil {
		p.take(BadToken, time.Now())
		l.addresses.drop(p)
	}
}

func (l *Limits) ofAddress(remote string, kind Kind, take bool) *event.Error {
	p := l.addresses.hold(Address(remote))
	if p == nil {
		return nil
	}
	defer l.addresses.drop(p)
	if !take {
		return l.refuseAfter("address", kind, p.wait(kind, time.Now()))
	}
	return l.refuseAfter("address", kind, p.take(kind, time.Now()))
}

// refuseAfter refuses unless there is nothing to wait for.
func (l *Limits) refuseAfter(whose string, kind Kind, wait time.Duration) *event.Error {
	if wait <= 0 {
		return nil
	}
	return l.refuse(whose+"_"+names[kind], wait, "too many at a time: slow down")
}

func (l *Limits) refuse(reason string, wait time.Duration, message string) *event.Error {
	l.count(reason)
	return &event.Error{
		Code:       event.RateLimited,
		Message:    fmt.Sprintf("%s; try again in %v", message, wait.Round(time.Millisecond)),
		RetryAfter: max(wait, time.Millisecond),
	}
}

func (l *Limits) count(reason string) {
	if l.opts.Metrics != nil {
		l.opts.Metrics.Limited.Inc(reason)
	}
}
