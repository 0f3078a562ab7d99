package faults

// checkSession compares what one session received with its room's log.
func (c *checker) checkSession(s *Session) {
	c.report.Sessions++
	deliveries := s.Deliveries()
	c.report.Deliveries += len(deliveries)
	v := &view{checker: c, session: s, log: c.room(s.Room), newest: s.Base}
	v.seen = c.blank(v.log.head)
	v.access = c.members.of(s.Room, s.User)
	for i := range deliveries {
		v.take(&deliveries[i])
	}
	for _, e := range v.strange {
		v.takeStrange(e)
	}
	v.checkComplete()
}

// blank returns a cleared slice that holds seqs up to head.
func (c *checker) blank(head int64) []bool {
	if int64(len(c.seen)) <= head {
		c.seen = make([]bool, head+1)
	}
	clear(c.seen)
	return c.seen
}

// view is a session under check.
type view struct {
	*checker
	session *Session
	log     *roomLog
	access  *access
	seen    []bool
	newest  int64    // the largest seq so far
	strange []*Event // that are not what the store has
}

// take looks at one delivery. Order and doubles go by seq; what the event says has to be what is stored.
func (v *view) take(d *Delivery) {
	e, s := d.Event, v.session
	if e.Room != s.Room {
		v.report.add(Leaked, s.Room, "%s received seq %d of room %d", s.User, e.Seq, e.Room)
		return
	}
	row := v.log.bySeq[e.Seq]
	if row == nil || !same(e, row) {
		v.strange = append(v.strange, e)
		return
	}
	switch {
	case v.seen[e.Seq]:
		v.report.add(Duplicated, s.Room, "%s received seq %d twice in session %d, again at %v", s.User, e.Seq, s.ID, d.At)
	case e.Seq <= s.Base:
		v.report.add(Duplicated, s.Room, "%s received seq %d, and had told to have all up to %d", s.User, e.Seq, s.Base)
	case e.Seq < v.newest:
		v.report.add(Reordered, s.Room, "%s received seq %d after seq %d, at %v", s.User, e.Seq, v.newest, d.At)
	}
	v.seen[e.Seq] = true
	v.newest = max(v.newest, e.Seq)
	if why := v.access.forbids(e.Seq, v.intents[key{e.Room, e.Sender, e.ClientMessageID}]); why != "" {
		v.report.add(Leaked, s.Room, "%s received seq %d at %v: %s", s.User, e.Seq, d.At, why)
	}
}

// same says whether an event is what a row holds. Only messages name their sender in all their forms.
func same(e *Event, row *StoredEvent) bool {
	if e.Kind != row.Kind || e.ClientMessageID != row.ClientMessageID || e.Change != row.Change {
		return false
	}
	if e.Kind != kindMessage {
		return e.Sender == "" || e.Sender == row.Sender
	}
	return e.Sender == row.Sender && (row.MessageID == "" || e.MessageID == row.MessageID)
}

// takeStrange says what an event is that the store does not have like that: a message that came in another place as
// well, or one that does not exist.
func (v *view) takeStrange(e *Event) {
	s := v.session
	row := v.log.byKey[key{e.Room, e.Sender, e.ClientMessageID}]
	if e.Kind == kindMessage && row != nil && v.seen[row.Seq] {
		v.report.add(Duplicated, s.Room, "%s received message %s of %s as seq %d and as seq %d",
			s.User, e.ClientMessageID, e.Sender, row.Seq, e.Seq)
		return
	}
	v.report.add(Phantom, s.Room, "%s received seq %d, %s %q of %s, that is not in the store",
		s.User, e.Seq, e.Kind, e.ClientMessageID, e.Sender)
}

// checkComplete looks for what the session should have and has not: between its first and last event always, and
// outside of that if it lasted to the end.
func (v *view) checkComplete() {
	s := v.session
	first := s.Base + 1
	for first <= v.log.head && !v.seen[first] {
		first++
	}
	throughout := v.lasted()
	for seq := s.Base + 1; seq <= v.log.head; seq++ {
		switch {
		case v.seen[seq] || v.log.bySeq[seq] == nil || v.access.forbids(seq, nil) != "":
		case first < seq && seq < v.newest:
			v.report.add(Hole, s.Room, "%s has no seq %d in session %d, between %d and %d", s.User, seq, s.ID, first, v.newest)
		case seq < first && v.newest >= first || throughout:
			v.report.add(Lost, s.Room, "%s, following throughout from seq %d, did not receive seq %d; its last is %d",
				s.User, s.Base, seq, v.newest)
		}
	}
}

// lasted says whether the session went on to the end of the run. An expulsion that no removal explains is no excuse.
func (v *view) lasted() bool {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.left && (!s.expelled || !v.access.removed)
}
