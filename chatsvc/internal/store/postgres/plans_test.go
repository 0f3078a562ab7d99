package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/fliliy/chat/chatsvc/internal/store/postgres"
	"github.com/fliliy/chat/chatsvc/pgtest"
)

// plan is a node of what EXPLAIN says.
type plan struct {
	Node    string  `json:"Node Type"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Join Filter"`
	Plans   []plan  `json:"Plans"`
}

// most is the most rows that a node has read or thrown away.
func (p *plan) most() float64 {
	most := max(p.Rows*p.Loops, p.Removed)
	for i := range p.Plans {
		most = max(most, p.Plans[i].most())
	}
	return most
}

// Who sends to a large room, or enters it, costs no reading of everybody who is there, whether or not the planner knows
// how large it is.
func TestLargeRoomsAreNotReadWhole(t *testing.T) {
	t.Parallel()
	url := server.NewDatabase(t)
	store := open(t, url)
	defer store.Close()
	conn := pgtest.Connect(t, url)
	execute(t, conn, `INSERT INTO logs VALUES (7, 3, 5000, now()), (8, 3, 300, now())`)
	execute(t, conn, `INSERT INTO members (room_id, user_id, role, joined_at, read_seq)
		SELECT 7, 'u' || i, 1, now(), 0 FROM generate_series(1, 5000) i`)
	for _, known := range []string{"without statistics", "with statistics"} {
		for name, s := range postgres.Statements {
			text, err := store.Explain(t.Context(), s.Text, s.Parameters)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var explained []struct{ Plan plan }
			if err := json.Unmarshal([]byte(text), &explained); err != nil {
				t.Fatal(err)
			}
			if most := explained[0].Plan.most(); most > 10 {
				t.Errorf("%s %s: a node meets %v rows, want a few:\n%s", name, known, most, text)
			}
		}
		execute(t, conn, `ANALYZE`)
	}
}
