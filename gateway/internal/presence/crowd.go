package presence

import "slices"

// What the worker does to the users in memory.

// expire ends the sessions whose debounce is over.
func (p *Presence) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	n := 0
	for n < len(p.leaving) && !p.leaving[n].until.After(now) {
		p.remove(p.leaving[n].session)
		n++
	}
	p.leaving = cut(p.leaving, n)
}

// take moves up to a batch of users out of the waiting line, with their records. If they cannot be written now, a
// rebuild will.
func (p *Presence) take() ([]*user, []record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(batch, len(p.dirty))
	users := slices.Clone(p.dirty[:n])
	records := make([]record, n)
	for i, u := range users {
		u.queued = false
		records[i] = u.record()
	}
	p.dirty = cut(p.dirty, n)
	return users, records
}

// cut removes the first n elements, and lets go of them.
func cut[T any](line []T, n int) []T {
	clear(line[:n])
	if n == len(line) {
		return nil
	}
	return line[n:]
}

// confirm keeps what is told of users that were written. Who has no session any more is forgotten, unless her end
// could not be told yet.
func (p *Presence) confirm(users []*user, done applied) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, u := range users {
		u.told = done.told[i]
		if len(u.sessions) == 0 && !u.queued && !done.grace {
			delete(p.users, u.id)
		}
	}
}

// rebuild lines up everyone: those known here, and those Redis still has a record of from before.
func (p *Presence) rebuild(known []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range known {
		if p.users[id] == nil {
			p.users[id] = &user{id: id}
		}
	}
	for _, u := range p.users {
		p.touch(u)
	}
}

// idle empties the waiting line while Redis is away, and forgets who has gone without anybody having been told that
// she came: the rebuild on its return will line up everyone and hears from Redis whose record is to be withdrawn. So
// a long outage costs no memory.
func (p *Presence) idle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty = nil
	for id, u := range p.users {
		u.queued = false
		if len(u.sessions) == 0 && u.told.status == 0 {
			delete(p.users, id)
		}
	}
}

// touchAll lines up everyone.
func (p *Presence) touchAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.users {
		p.touch(u)
	}
}

// touchUsers lines up those that are still here.
func (p *Presence) touchUsers(ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if u := p.users[id]; u != nil {
			p.touch(u)
		}
	}
}

// closeDoor lets no new session begin.
func (p *Presence) closeDoor() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// forgetSessions ends all sessions.
func (p *Presence) forgetSessions() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.sessions)
	p.leaving = nil
	for _, u := range p.users {
		u.sessions = nil
		p.touch(u)
	}
}

// nextDue returns the records to be renewed with this beat. A round goes through the users by id, so that each has
// its turn at about the same time of every round.
func (w *worker) nextDue() []record {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.due) == 0 {
		for id := range w.users {
			w.due = append(w.due, id)
		}
		slices.Sort(w.due)
		beats := max(1, int(w.opts.RefreshEvery/w.opts.LeaseEvery))
		w.share = (len(w.due) + beats - 1) / beats
	}
	n := min(w.share, len(w.due))
	var records []record
	for _, id := range w.due[:n] {
		if u := w.users[id]; u != nil && len(u.sessions) > 0 {
			records = append(records, u.record())
		}
	}
	w.due = cut(w.due, n)
	return records
}
