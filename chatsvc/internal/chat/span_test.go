package chat_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// TestSpans: what is hidden stays hidden, however often somebody comes and goes; and is read as it was written.
func TestSpans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var former chat.Former
		var hidden []int64
		seq := int64(0)
		for range rapid.IntRange(0, 100).Draw(t, "memberships") {
			seq += rapid.Int64Range(1, 3).Draw(t, "in")
			former = chat.Member{Hidden: former.Hidden}.Leave(seq)
			for range rapid.Int64Range(0, 3).Draw(t, "out") {
				seq++
				hidden = append(hidden, seq)
			}
			seq++
			former.Hidden, former.LeftAt = former.Rejoin(seq), 0
		}
		for i, span := range former.Hidden {
			if span.First > span.Last || i > 0 && span.First <= former.Hidden[i-1].Last {
				t.Fatalf("spans out of order: %v", former.Hidden)
			}
		}
		if len(former.Hidden) > 64 {
			t.Fatalf("%d spans are kept", len(former.Hidden))
		}
		for _, seq := range hidden {
			if !slices.ContainsFunc(former.Hidden, func(s chat.Span) bool { return s.First <= seq && seq <= s.Last }) {
				t.Fatalf("%d came to light: %v", seq, former.Hidden)
			}
		}
		var read chat.Spans
		if err := read.Scan(former.Hidden.String()); err != nil || !slices.Equal(read, former.Hidden) {
			t.Fatalf("%v is read as %v, error %v", former.Hidden, read, err)
		}
	})
}

func TestBadSpans(t *testing.T) {
	t.Parallel()
	for _, value := range []any{nil, []byte("1-2"), "x", "1", "2-1", "1-2,2-3", "1-2,", ",1-2", "1-x"} {
		if err := new(chat.Spans).Scan(value); (err == nil) != (value == "1-2,") {
			t.Errorf("%v: error %v", value, err)
		}
	}
}
