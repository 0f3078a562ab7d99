package relay

// fifo is a queue of commands in which a slot can be emptied out of turn. It is not safe for concurrent use.
type fifo struct {
	slots []*command // from head on; nil: emptied
	head  int
}

func (q *fifo) len() int { return len(q.slots) - q.head }

func (q *fifo) push(c *command) { q.slots = append(q.slots, c) }

// at returns the command in slot i, counted from the front; nil if it was emptied.
func (q *fifo) at(i int) *command { return q.slots[q.head+i] }

// take empties slot i and returns what was in it.
func (q *fifo) take(i int) *command {
	c := q.slots[q.head+i]
	q.slots[q.head+i] = nil
	return c
}

// pop removes the front slot.
func (q *fifo) pop() *command {
	c := q.take(0)
	q.head++
	switch {
	case q.head == len(q.slots):
		q.slots, q.head = q.slots[:0], 0
	case q.head >= 1024 && q.head*2 >= len(q.slots):
		q.slots = append(q.slots[:0], q.slots[q.head:]...)
		clear(q.slots[len(q.slots):cap(q.slots)])
		q.head = 0
	}
	return c
}

// trim removes emptied slots at the front and returns how many there were.
func (q *fifo) trim() int {
	n := 0
	for q.len() > 0 && q.at(0) == nil {
		q.pop()
		n++
	}
	return n
}

// drain removes all slots and returns what was in them, in order.
func (q *fifo) drain() []*command {
	left := make([]*command, 0, q.len())
	for q.len() > 0 {
		if c := q.pop(); c != nil {
			left = append(left, c)
		}
	}
	return left
}

// prepend puts commands in front of all others, in their order.
func (q *fifo) prepend(commands []*command) {
	q.slots = append(commands, q.slots[q.head:]...)
	q.head = 0
}
