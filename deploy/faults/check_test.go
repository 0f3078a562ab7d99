package faults_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fliliy/chat/deploy/faults"
)

// mutation spoils a story as a bug of the system would. It says false where the story has no place for it.
type mutation struct {
	name  string
	want  faults.Violation
	spoil func(s *story) bool
}

// mutations are the bugs that the check has to see; the first five are those of the reliability chapter.
var mutations = []mutation{
	{"drop", faults.Lost, (*story).dropLast},
	{"dup", faults.Duplicated, (*story).deliverTwice},
	{"swap", faults.Reordered, (*story).swapDeliveries},
	{"hole", faults.Hole, (*story).dropMiddle},
	{"leak", faults.Leaked, (*story).leakToRemoved},

	{"drop an acknowledged row", faults.Lost, (*story).dropAcked},
	{"drop the first event", faults.Lost, (*story).dropFirst},
	{"lose a row in the middle", faults.Hole, (*story).dropRow},
	{"store a repeat again", faults.Duplicated, (*story).storeTwice},
	{"number a message twice", faults.Duplicated, (*story).deliverUnderAnotherSeq},
	{"answer a repeat differently", faults.Duplicated, (*story).answerDifferently},
	{"call a repeat new", faults.Duplicated, (*story).answerNewTwice},
	{"replay what the client has", faults.Duplicated, (*story).replayTooMuch},
	{"store what nobody sent", faults.Phantom, (*story).storeUnsent},
	{"store what was refused", faults.Phantom, (*story).storeRefused},
	{"deliver what is not stored", faults.Phantom, (*story).deliverUnstored},
	{"let the later message go first", faults.RealTime, (*story).swapRows},
	{"leak to a stranger", faults.Leaked, (*story).leakToStranger},
	{"deliver to another room", faults.Leaked, (*story).deliverToAnotherRoom},
	{"throw a member out", faults.Lost, (*story).expelMember},
}

// chance is a source of chance for a story.
func chance(seed uint64) func(n int) int {
	return rand.New(rand.NewPCG(seed, 1)).IntN
}

const storySteps = 150

func TestGoodHistoriesPass(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		if report := tell(chance(seed), storySteps).check(); !report.Clean() {
			t.Fatalf("seed %d: a good history is reported:\n%s", seed, report)
		}
	}
}

func TestEachMutantIsFlagged(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			spoilt := 0
			for seed := range uint64(50) {
				s := tell(chance(seed), storySteps)
				if !m.spoil(s) {
					continue
				}
				spoilt++
				report := s.check()
				if report.Counts[m.want] == 0 {
					t.Fatalf("seed %d: not reported as %s:\n%s", seed, m.want, report)
				}
				if text := report.String(); !strings.Contains(text, string(m.want)+": room ") {
					t.Fatalf("seed %d: the report shows no example:\n%s", seed, text)
				}
			}
			if spoilt < 10 {
				t.Errorf("only %d of 50 stories had a place for the bug", spoilt)
			}
		})
	}
}

// TestChecker has rapid look for a good history that is reported, and for a mutant that is not.
func TestChecker(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		intn := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
		s := tell(intn, rapid.IntRange(0, 60).Draw(t, "steps"))
		if report := s.check(); !report.Clean() {
			t.Fatalf("a good history is reported:\n%s", report)
		}
		m := mutations[rapid.IntRange(0, len(mutations)-1).Draw(t, "mutation")]
		if !m.spoil(s) {
			return
		}
		if report := s.check(); report.Counts[m.want] == 0 {
			t.Fatalf("%s is not reported as %s:\n%s", m.name, m.want, report)
		}
	})
}

func TestStray(t *testing.T) {
	t.Parallel()
	h := faults.NewHistory()
	h.Stray()
	report := faults.Check(h, nil)
	if report.Clean() || report.Counts[faults.Stray] != 1 || !strings.Contains(report.String(), "1 stray") {
		t.Errorf("a delivery after UNSUBSCRIBE is not reported:\n%s", report)
	}
}
