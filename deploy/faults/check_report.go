package faults

import (
	"fmt"
	"slices"
	"strings"
)

// Violation is a way to break the promise.
type Violation string

// The violations.
const (
	Lost       Violation = "lost"       // acknowledged, and not stored or not received by who followed throughout
	Phantom    Violation = "phantom"    // stored or received, and never sent, refused for good, or not what is stored
	Duplicated Violation = "duplicated" // twice in one session, two rows, or repeats with different answers
	Reordered  Violation = "reordered"  // the seq went back in a session
	Hole       Violation = "hole"       // a seq that a session, or the store, misses between its first and last
	RealTime   Violation = "real-time"  // B was sent after A was acknowledged, and has the smaller seq
	Leaked     Violation = "leaked"     // received by who was no member when it was committed
	Stray      Violation = "stray"      // received on a subscription after the RECEIPT of its UNSUBSCRIBE
)

// Violations are all of them, in the order of reports.
var Violations = []Violation{Lost, Phantom, Duplicated, Reordered, Hole, RealTime, Leaked, Stray}

// maxExamples of one violation are kept in words.
const maxExamples = 5

// Report is the outcome of Check.
type Report struct {
	Sends, Acked, Failed, Unknown int
	Stored                        int
	Sessions, Deliveries          int

	Counts   map[Violation]int
	Rooms    map[int64]map[Violation]int // only rooms with violations
	Examples map[Violation][]string      // the first few, in words
}

func newReport() *Report {
	return &Report{
		Counts: map[Violation]int{}, Rooms: map[int64]map[Violation]int{}, Examples: map[Violation][]string{},
	}
}

// Clean says that there is no violation.
func (r *Report) Clean() bool { return len(r.Counts) == 0 }

// add notes a violation in a room.
func (r *Report) add(v Violation, room int64, format string, args ...any) {
	if r.Rooms[room] == nil {
		r.Rooms[room] = map[Violation]int{}
	}
	r.Rooms[room][v]++
	r.Counts[v]++
	if len(r.Examples[v]) < maxExamples {
		r.Examples[v] = append(r.Examples[v], fmt.Sprintf("room %d: ", room)+fmt.Sprintf(format, args...))
	}
}

// addN notes violations that belong to no room.
func (r *Report) addN(v Violation, n int, text string) {
	if n > 0 {
		r.Counts[v] += n
		r.Examples[v] = append(r.Examples[v], fmt.Sprintf("%d %s", n, text))
	}
}

// String is a summary of a few lines: totals, all violations with their counts, and examples.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sends %d: %d acknowledged, %d refused, %d unknown; stored %d; sessions %d; deliveries %d\n",
		r.Sends, r.Acked, r.Failed, r.Unknown, r.Stored, r.Sessions, r.Deliveries)
	for i, v := range Violations {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", r.Counts[v], v)
	}
	rooms := make([]int64, 0, len(r.Rooms))
	for room := range r.Rooms {
		rooms = append(rooms, room)
	}
	slices.Sort(rooms)
	if len(rooms) > 0 {
		fmt.Fprintf(&b, "\nin rooms %v", rooms)
	}
	for _, v := range Violations {
		for _, example := range r.Examples[v] {
			fmt.Fprintf(&b, "\n%s: %s", v, example)
		}
	}
	return b.String()
}
