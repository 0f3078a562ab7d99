package e2e_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// On each of the two stages that many members are removed that often: 1,000 removals.
const removalRooms, removalsPerRoom = 10, 50

// TestFault21RemovalWhileMessagesFlow removes a member and takes her in again, over and over, while others talk. She gets
// the removal as her last event, and of what was written while she was out nothing: not late, and not when she resumes.
func TestFault21RemovalWhileMessagesFlow(t *testing.T) {
	onEveryStage(t, func(t *testing.T, s *stage) {
		for range removalRooms {
			t.Run("room", func(t *testing.T) {
				t.Parallel()
				r := newRevolvingDoor(t, s)
				defer r.chatter()()
				for range removalsPerRoom {
					r.turn()
				}
				t.Logf("%d removals; a subscription ended at most %v after its removal was acknowledged", removalsPerRoom, r.slowest)
			})
		}
	})
}

// revolvingDoor is a room that bob leaves and enters.
type revolvingDoor struct {
	t                 *testing.T
	stage             *stage
	alice, bob, carol person
	room              string
	owner, member     *wire
	last              int64 // bob has everything up to it that is for him
	turns             int
	slowest           time.Duration
}

func newRevolvingDoor(t *testing.T, s *stage) *revolvingDoor {
	t.Helper()
	p := s.people(t, "alice", "bob", "carol")
	r := &revolvingDoor{t: t, stage: s, alice: p[0], bob: p[1], carol: p[2]}
	r.room = s.room(t, r.alice, r.bob, r.carol)
	r.owner, r.member = login(t, s.wsURL(0), r.alice), login(t, s.wsURL(1), r.bob)
	r.member.subscribe("errors", "/user/queue/errors")
	return r
}

// chatter has carol talk until what it returns is called, which has to be before the test's context ends.
func (r *revolvingDoor) chatter() (hush func()) {
	carol := login(r.t, r.stage.wsURL(0), r.carol)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				carol.send("SEND\ndestination:/app/chat/" + r.room + "/send\ncontent-type:text/plain\n\nblah\x00")
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// turn has bob follow the room, be removed, miss something, and come back.
func (r *revolvingDoor) turn() {
	r.turns++
	id := strconv.Itoa(r.turns)
	r.member.subscribeOnly("s"+id, "/topic/chat/"+r.room, "receipt:live-"+id, "last-seq:"+strconv.FormatInt(r.last, 10))
	r.until("RECEIPT")
	members := "/api/v1/chat-rooms/" + r.room + "/members"
	if status, answer := r.stage.rest(r.t, r.alice, http.MethodDelete, members+"/"+r.bob.id, nil); status != http.StatusOK {
		r.t.Fatalf("remove bob: %d %v", status, answer)
	}
	acknowledged := time.Now()
	missed := r.owner.say(r.room, "not for bob", "missed-"+id)
	r.until("ERROR")
	r.slowest = max(r.slowest, time.Since(acknowledged))
	hidden, err := strconv.ParseInt(missed.Header.Get("seq"), 10, 64)
	if err != nil || hidden <= r.last {
		r.t.Fatalf("bob got %d, and %d was written after he was removed (%v)", r.last, hidden, err)
	}
	status, answer := r.stage.rest(r.t, r.alice, http.MethodPost, members, map[string]any{"memberIds": []string{r.bob.id}})
	if status != http.StatusOK {
		r.t.Fatalf("take bob in: %d %v", status, answer)
	}
	status, answer = r.stage.rest(r.t, r.bob, http.MethodGet,
		"/api/v1/chat-rooms/"+r.room+"/messages?limit=1&afterSeq="+strconv.FormatInt(r.last, 10), nil)
	events, _ := answer["events"].([]any)
	if status != http.StatusOK || len(events) != 1 {
		r.t.Fatalf("what bob reads next: %d %v", status, answer)
	}
	first, _ := events[0].(map[string]any)
	joined, _ := first["seq"].(float64)
	if first["change"] != "joined" || first["userId"] != r.bob.id || int64(joined) <= hidden {
		r.t.Fatalf("after %d bob reads %v, and %d is not for him", r.last, first, hidden)
	}
	r.last = int64(joined) - 1 // from where he resumes: the next one is that
}

// until reads what bob gets up to a RECEIPT, or to the ERROR that follows his removal. Everything is there, in order.
func (r *revolvingDoor) until(end string) {
	for removed := false; ; {
		got, code := r.member.next()
		switch {
		case got == nil:
			r.t.Fatalf("closed with %d", code)
		case got.Command == frame.RECEIPT && end == frame.RECEIPT:
			return
		}
		var e struct {
			Event, Change string
			UserID        string `json:"userId"`
			Seq           int64
		}
		if err := json.Unmarshal(got.Body, &e); err != nil || got.Command != frame.MESSAGE {
			r.t.Fatalf("bob got %s %v %s: %v", got.Command, got.Header, got.Body, err)
		}
		switch {
		case e.Event == "ERROR" && end == e.Event && removed:
			return
		case e.Event == "ERROR" || removed:
			r.t.Fatalf("bob got %v %s, removed %v", got.Header, got.Body, removed)
		case e.Seq == 0:
		case e.Seq != r.last+1:
			r.t.Fatalf("bob got %d after %d", e.Seq, r.last)
		default:
			r.last = e.Seq
			removed = e.Change == "removed" && e.UserID == r.bob.id
		}
	}
}
