package herald

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
)

// questions are those who want to know who is online.
type questions struct {
	wake chan struct{}

	mu     sync.Mutex
	asked  []question
	closed bool
}

// question is one call of Tell.
type question struct {
	room    int64
	user    string
	members []string // nil: of a large room
	done    func(*event.Event)
}

// Tell implements session.Whereabouts. In a room of few members it tells which of them are online, wherever they are;
// in a large one, who has it open.
func (h *Herald) Tell(room int64, user string, members []string, done func(*event.Event)) {
	q := question{room, user, members, done}
	if !h.questions.add(q) {
		h.answer([]question{q}, nil, true)
		return
	}
	signal(h.questions.wake)
}

// add says false once nobody answers any more.
func (q *questions) add(one question) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.asked = append(q.asked, one)
	}
	return !q.closed
}

// take moves all questions out, and closes the book for good when it is the last time.
func (q *questions) take(last bool) []question {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked := q.asked
	q.asked, q.closed = nil, last
	return asked
}

func (h *Herald) runQuestions(ctx context.Context) {
	var large sync.WaitGroup
	for {
		select {
		case <-ctx.Done():
			h.answer(h.questions.take(true), nil, true)
			large.Wait()
			return
		case <-h.questions.wake:
		}
		asked := h.questions.take(false)
		for len(asked) > 0 {
			n, users := nextLookup(asked)
			var statuses map[string]string
			stale := false
			if len(users) > 0 {
				statuses, stale = h.lookup.Statuses(ctx, users)
			}
			h.answerAll(ctx, asked[:n], statuses, stale, &large)
			asked = asked[n:]
		}
	}
}

// nextLookup returns how many of the questions one look-up answers, and about whom it has to be.
func nextLookup(asked []question) (n int, users []string) {
	known := make(map[string]struct{})
	for n = range asked {
		if n > 0 && len(users)+len(asked[n].members) > maxLookup {
			return n, users
		}
		for _, member := range asked[n].members {
			if _, again := known[member]; !again {
				known[member] = struct{}{}
				users = append(users, member)
			}
		}
	}
	return len(asked), users
}

// answerAll answers small rooms, and has large ones looked up beside: the lookup shares that among who asks.
func (h *Herald) answerAll(
	ctx context.Context, asked []question, statuses map[string]string, stale bool, large *sync.WaitGroup,
) {
	small := make([]question, 0, len(asked))
	for _, q := range asked {
		if q.members != nil {
			small = append(small, q)
			continue
		}
		large.Go(func() {
			online := h.lookup.Online(ctx, q.room)
			online.Truncated = true // whoever has not opened the room may be online, too
			q.done(newPresence(q.room, withSelf(online, q.user)))
		})
	}
	h.answer(small, statuses, stale)
}

// answer tells each room's event to all who asked for the room. They are online themselves, though presence may not
// have noticed yet.
func (h *Herald) answer(asked []question, statuses map[string]string, stale bool) {
	rooms := make(map[int64][]question, len(asked))
	for _, q := range asked {
		rooms[q.room] = append(rooms[q.room], q)
	}
	for room, those := range rooms {
		var online event.Online
		for _, member := range those[0].members {
			if status := statusOf(statuses, member); status != offline {
				online.Members = append(online.Members, event.OnlineMember{User: member, Status: status})
			}
		}
		online.Stale = stale
		for _, q := range those {
			online = withSelf(online, q.user)
		}
		e := newPresence(room, online)
		for _, q := range those {
			q.done(e)
		}
	}
}

// withSelf adds a user who is not among the members of an answer.
func withSelf(online event.Online, user string) event.Online {
	for _, m := range online.Members {
		if m.User == user {
			return online
		}
	}
	online.Members = append(online.Members[:len(online.Members):len(online.Members)],
		event.OnlineMember{User: user, Status: "online"})
	return online
}

// presenceJSON is the body of a PRESENCE event.
type presenceJSON struct {
	Event      event.Kind   `json:"event"`
	ChatRoomID string       `json:"chatRoomId"`
	Online     []memberJSON `json:"online"`
	Truncated  bool         `json:"truncated,omitempty"`
	Stale      bool         `json:"stale,omitempty"`
}

type memberJSON struct {
	UserID string `json:"userId"`
	Status string `json:"status"`
}

func newPresence(room int64, online event.Online) *event.Event {
	body := presenceJSON{
		Event: event.Presence, ChatRoomID: strconv.FormatInt(room, 10),
		Online:    make([]memberJSON, len(online.Members)),
		Truncated: online.Truncated, Stale: online.Stale,
	}
	for i, m := range online.Members {
		body.Online[i] = memberJSON{m.User, m.Status}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("herald: encode PRESENCE: " + err.Error()) // strings and flags only: it cannot fail
	}
	e := event.New(event.Log{Room: room}.Destination(), event.Presence, 0, rand.Text(), text)
	return &e
}
