// Package presence reads who is online from Redis, where gateways keep it; it implements chat.Observer, and the facade
// plugs it in. It writes nothing, decides nothing, and holds nobody up: a look takes 50 ms at most, and after one that
// failed Redis is left alone for a second, in which everything is unknown.
package presence

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/proto/presencekey"
)

const (
	patience = 50 * time.Millisecond // of one look, Redis or not
	pause    = time.Second           // after a look that failed
	batch    = 1000                  // keys in one MGET
)

// Reader looks at one Redis. It is safe for concurrent use.
type Reader struct {
	rdb      *redis.Client
	logger   *slog.Logger
	patience time.Duration // of one look
	resume   atomic.Int64  // unix nanoseconds: no look before it
	blind    atomic.Bool   // the last look failed
}

// New makes a reader of the Redis at a redis:// or rediss:// URL; secure, if any, is how the latter is to be spoken to. It
// does not connect yet; Close ends it.
func New(url string, secure *tls.Config, logger *slog.Logger) (*Reader, error) {
	return newReader(url, secure, logger, patience)
}

func newReader(url string, secure *tls.Config, logger *slog.Logger, patience time.Duration) (*Reader, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("parse Redis URL (want redis://[user:password@]host:port[/db]): %w", err)
	}
	if secure != nil && opts.TLSConfig != nil {
		secure.ServerName = opts.TLSConfig.ServerName
		opts.TLSConfig = secure
	}
	opts.ContextTimeoutEnabled = true
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout = pause, patience, patience
	opts.DisableIdentity = true
	return &Reader{rdb: redis.NewClient(opts), logger: logger, patience: patience}, nil
}

// Close ends all connections.
func (r *Reader) Close() error {
	if err := r.rdb.Close(); err != nil {
		return fmt.Errorf("close Redis: %w", err)
	}
	return nil
}

// Observe implements chat.Observer.
func (r *Reader) Observe(ctx context.Context, users []string) []chat.Presence {
	seen := make([]chat.Presence, len(users))
	for i, user := range users {
		seen[i] = chat.Presence{UserID: user, Status: chat.StatusUnknown}
	}
	var status, last []*redis.SliceCmd
	if !r.look(ctx, func(ctx context.Context, pipe redis.Pipeliner) {
		for part := range slices.Chunk(users, batch) {
			status = append(status, pipe.MGet(ctx, keys(part, presencekey.Status)...))
			last = append(last, pipe.MGet(ctx, keys(part, presencekey.Seen)...))
		}
	}) {
		return seen
	}
	for i := range seen {
		seen[i].Status = chat.StatusOffline
		if text, ok := status[i/batch].Val()[i%batch].(string); ok {
			seen[i].Status = text
		}
		if text, ok := last[i/batch].Val()[i%batch].(string); ok {
			if at, err := presencekey.LastSeen(text); err == nil {
				seen[i].LastSeen = at
			}
		}
	}
	return seen
}

// Count implements chat.Observer.
func (r *Reader) Count(ctx context.Context, rooms []int64) (online int64, open []int64, known bool) {
	var all *redis.IntCmd
	each := make([]*redis.IntCmd, len(rooms))
	if !r.look(ctx, func(ctx context.Context, pipe redis.Pipeliner) {
		all = pipe.SCard(ctx, presencekey.OnlineUsers)
		for i, room := range rooms {
			each[i] = pipe.SCard(ctx, presencekey.RoomUsers(room))
		}
	}) {
		return 0, nil, false
	}
	open = make([]int64, len(rooms))
	for i := range each {
		open[i] = each[i].Val()
	}
	return all.Val(), open, true
}

// look asks Redis in one round trip; false when there is no answer.
func (r *Reader) look(ctx context.Context, ask func(context.Context, redis.Pipeliner)) bool {
	if time.Now().UnixNano() < r.resume.Load() {
		return false
	}
	short, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	_, err := r.rdb.Pipelined(short, func(pipe redis.Pipeliner) error {
		ask(short, pipe)
		return nil
	})
	switch {
	case err == nil:
		if r.blind.Swap(false) {
			r.logger.Info("presence: Redis answers again")
		}
		return true
	case errors.Is(ctx.Err(), context.Canceled): // the caller went away: that says nothing of Redis
		return false
	}
	r.resume.Store(time.Now().Add(pause).UnixNano())
	if !r.blind.Swap(true) {
		r.logger.Warn("presence: Redis does not answer; who is online is unknown until it does", "error", err)
	}
	return false
}

func keys(users []string, key func(string) string) []string {
	all := make([]string, len(users))
	for i, user := range users {
		all[i] = key(user)
	}
	return all
}
