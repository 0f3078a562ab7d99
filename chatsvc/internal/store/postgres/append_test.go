package postgres_test

import (
	"testing"
	"time"

	"github.com/fliliy/chat/chatsvc/internal/chat"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

// An append that reads, and waits for one of its heads, has its time from when it had them all, and members and places
// from then: a log's times never go back, whichever replica was faster.
func TestAppendIsOfWhenItHasAllHeads(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	store := open(t, url)
	defer store.Close()
	rooms := []int64{newRoom(t, store), newRoom(t, store), newRoom(t, store)}
	conn := pgtest.Connect(t, url)
	for i, held := range rooms {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT FROM logs WHERE log_id = $1 FOR UPDATE`, held); err != nil {
			t.Fatal(err)
		}
		store.ForgetRooms()
		stored := make(chan chat.Appended, 1)
		go func() {
			appended, err := store.Append(t.Context(), [][]chat.Draft{
				say(rooms[0], "a"), say(rooms[1], "b"), say(rooms[2], "c"),
			})
			if err != nil {
				t.Error(err)
			}
			stored <- appended
		}()
		var let time.Time
		for waiting := false; !waiting; {
			err := tx.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (
				SELECT oid FROM pg_database WHERE datname = current_database())) OR EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'), clock_timestamp()`).Scan(&waiting, &let)
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range (<-stored).Events {
			if e.At.Before(let) {
				t.Errorf("head %d of 3 was held until %v, the event of room %d is of %v", i+1, let, e.Log.Room, e.At)
			}
			if e.Seq != int64(i)+1 {
				t.Errorf("room %d: seq %d, want %d", e.Log.Room, e.Seq, i+1)
			}
		}
	}
}
