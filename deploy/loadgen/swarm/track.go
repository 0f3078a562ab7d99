package swarm

// track is what came of a sequence that is numbered 1, 2, 3, …. The zero track has nothing.
type track struct {
	last uint32 // the highest number that came
	came uint32 // how many came, each counted once
	seen uint64 // bit i: last-i came; what is further back is taken to have come
}

// trackWindow is how far back a track tells a late number from a doubled one.
const trackWindow = 64

// fate is what a number was.
type fate int

const (
	inOrder fate = iota // the highest so far; whether there is a hole before it shows in the end
	late                // it came behind a higher one
	double              // it came before
)

// take notes a number.
func (t *track) take(number uint32) fate {
	if number > t.last {
		t.seen = t.seen<<(number-t.last) | 1 // Go shifts everything out where the step is wide
		t.last = number
		t.came++
		return inOrder
	}
	if t.has(number) {
		return double
	}
	t.seen |= 1 << (t.last - number)
	t.came++
	return late
}

// has says whether a number came.
func (t *track) has(number uint32) bool {
	if number > t.last {
		return false
	}
	back := t.last - number
	return number == 0 || back >= trackWindow || t.seen>>back&1 == 1
}
