package scenario

// Layout says who is in which room: the same in every process, since it follows from the scenario alone.
type Layout struct {
	Members [][]int // of each room; the senders come first
	RoomsOf [][]int // of each user
}

// NewLayout places the scenario's users. Each is in Each rooms; rooms have Size members, but for the last ones, which may
// have fewer where the numbers do not go up. Users of the same first room are neighbours, so that with one room each a
// split of the users at a multiple of Size splits no room.
func NewLayout(s *Scenario) *Layout {
	n := s.Connections
	l := &Layout{RoomsOf: make([][]int, n)}
	for layer := range s.Rooms.Each {
		stride := strideOf(layer, n)
		for first := 0; first < n; first += s.Rooms.Size {
			room := len(l.Members)
			members := make([]int, 0, s.Rooms.Size)
			for at := first; at < min(first+s.Rooms.Size, n); at++ {
				user := at * stride % n
				members = append(members, user)
				l.RoomsOf[user] = append(l.RoomsOf[user], room)
			}
			l.Members = append(l.Members, members)
		}
	}
	return l
}

// strideOf is another step for each layer, without a common divisor with n, so that stepping meets every user once.
func strideOf(layer, n int) int {
	stride := 1
	for range layer {
		stride++
		for gcd(stride, n) != 1 {
			stride++
		}
	}
	return stride
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Split says how many workers there are for this many connections each, and where each one's users begin: at the
// beginning of a room, where a room fits. The last number is that of all users.
func Split(s *Scenario, each int) []int {
	step := each
	if s.Rooms.Size <= each {
		step = each / s.Rooms.Size * s.Rooms.Size
	}
	starts := []int{0}
	for at := step; at < s.Connections; at += step {
		starts = append(starts, at)
	}
	return append(starts, s.Connections)
}
