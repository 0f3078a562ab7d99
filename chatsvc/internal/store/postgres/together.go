package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const (
	askers      = 4               // queries of one kind under way; while there are fewer, nobody waits
	togetherMax = 256             // questions in one query
	askTimeout  = 5 * time.Second // of a query; more than a statement may take
)

// together answers single questions of many callers by one query, where they come faster than queries are answered:
// thousands of clients that subscribe at once, after a gateway went away. A question is answered by a query that began
// after it was asked. It waits for no timer: as long as askers are free, each question is a query of its own.
type together[K, V any] struct {
	query func(ctx context.Context, keys []K) ([]V, error) // the answers in order of the keys

	mu      sync.Mutex
	waiting []*question[K, V]
	asking  int
}

type question[K, V any] struct {
	key    K
	answer V
	err    error
	done   chan struct{}
}

// get asks one question. When the context ends first, it is not waited for.
func (t *together[K, V]) get(ctx context.Context, key K) (V, error) {
	q := &question[K, V]{key: key, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, q)
	idle := t.asking < askers
	if idle {
		t.asking++
	}
	t.mu.Unlock()
	if idle {
		go t.work() //nolint:contextcheck // it asks for others as well
	}
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
		var none V
		return none, classify(ctx.Err())
	}
}

// work answers questions until none are left.
func (t *together[K, V]) work() {
	for {
		t.mu.Lock()
		n := min(len(t.waiting), togetherMax)
		if n == 0 {
			t.waiting = nil
			t.asking--
			t.mu.Unlock()
			return
		}
		asked := t.waiting[:n:n]
		t.waiting = t.waiting[n:]
		t.mu.Unlock()
		t.answer(asked)
	}
}

// answer asks the database. A question that cannot be asked at all, such as one with bytes that are no text, must not
// spoil those of others: where the server refuses the query for itself, each is asked alone.
func (t *together[K, V]) answer(asked []*question[K, V]) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	keys := make([]K, len(asked))
	for i, q := range asked {
		keys[i] = q.key
	}
	answers, err := t.query(ctx, keys)
	if err != nil && len(asked) > 1 && !transient(err) {
		for i := range asked {
			t.answer(asked[i : i+1])
		}
		return
	}
	for i, q := range asked {
		if err == nil {
			q.answer = answers[i]
		}
		q.err = classify(err)
		close(q.done)
	}
}

// membership is the question whether a user is in a room.
type membership struct {
	room int64
	user string
}

// readMembers answers many at once.
func (s *Store) readMembers(ctx context.Context, asked []membership) ([]chat.Member, error) {
	rooms, users := roomsAndUsers(asked)
	rows, err := s.pool.Query(ctx, `SELECT q.place, `+memberColumns+`
		FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY q (room, member, place)
		JOIN members m ON m.room_id = q.room AND m.user_id = q.member`, rooms, users)
	if err != nil {
		return nil, err
	}
	members := make([]chat.Member, len(asked))
	var place int64
	var m chat.Member
	_, err = pgx.ForEachRow(rows, append([]any{&place}, intoMember(&m)...), func() error {
		members[place-1] = m
		return nil
	})
	return members, err
}

// entrance is a member, or nobody, and in a room of at most chat.MaxLive everybody who is there.
type entrance struct {
	member  chat.Member
	members []string
}

// readEntrances is written for look-ups one by one, as readMembers of an append is.
const readEntrances = `
	SELECT q.place, m.*, CASE WHEN (SELECT member_count FROM logs WHERE log_id = q.room) <= $3 THEN
		(SELECT array_agg(o.user_id ORDER BY o.joined_at, o.user_id) FROM members o WHERE o.room_id = q.room) END
	FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY q (room, member, place)
	CROSS JOIN LATERAL (
		SELECT ` + memberColumns + ` FROM members WHERE room_id = q.room AND user_id = q.member LIMIT 1) m`

// readEntrances answers many at once.
func (s *Store) readEntrances(ctx context.Context, asked []membership) ([]entrance, error) {
	rooms, users := roomsAndUsers(asked)
	rows, err := s.pool.Query(ctx, readEntrances, rooms, users, chat.MaxLive)
	if err != nil {
		return nil, err
	}
	found := make([]entrance, len(asked))
	var place int64
	var m chat.Member
	var members []string
	into := append(append([]any{&place}, intoMember(&m)...), &members)
	_, err = pgx.ForEachRow(rows, into, func() error {
		found[place-1] = entrance{m, members}
		members = nil // the next row's are others
		return nil
	})
	return found, err
}

// roomsAndUsers returns the questions as the arrays that a query takes.
func roomsAndUsers(asked []membership) (rooms []int64, users []string) {
	rooms, users = make([]int64, len(asked)), make([]string, len(asked))
	for i, a := range asked {
		rooms[i], users[i] = a.room, a.user
	}
	return rooms, users
}
