package chat

import (
	"context"
	"slices"
	"time"
)

// Outcome is what became of one unit: one Stored per draft, or why all of it was refused.
type Outcome struct {
	Stored []Stored
	Err    *Error
}

// Appended is what became of a batch of units.
type Appended struct {
	Outcomes []Outcome          // one per unit, in order
	Events   []Event            // new events of all units; those of one log in order of seq
	Audience map[int64][]string // members of the rooms with new events that have at most MaxLive
}

// SettleFunc asks the database what became of an append in doubt.
type SettleFunc func(ctx context.Context) (Appended, bool, error)

// Ledger judges the units of one batch: who may send, what is a repeat, and which seq each new event gets. A store
// fills it with what it has read under the locks of the heads, or has read before and compares under them, calls Judge
// once, and stores what that returns. It is for one goroutine.
type Ledger struct {
	now    time.Time
	logs   map[LogRef]*ledgerLog
	stored map[clientKey]int64
	result Appended

	targets map[logPlace]*target // nil while there are none
	changes []change             // of the unit that is being judged
}

type ledgerLog struct {
	id        int64
	seq       int64
	grown     bool
	standings *Standings
}

// Standings is who is in a room, as far as a batch needs it. Nobody changes one that is in use.
type Standings struct {
	Of   map[string]Standing // every sender who is a member, and in a room of at most MaxLive everybody
	Live []string            // the members of a room of at most MaxLive; nil in larger ones
}

// Standing is what decides about what a member may do.
type Standing struct {
	Role       Role
	MutedUntil time.Time // as in Member
}

type clientKey struct {
	logID    int64
	sender   string
	clientID string
}

// NewLedger returns an empty ledger. now is the time of its events, by the database's clock.
func NewLedger(now time.Time) *Ledger {
	return &Ledger{
		now:    now,
		logs:   make(map[LogRef]*ledgerLog),
		stored: make(map[clientKey]int64),
	}
}

// AddHead enters a locked log, once; logs that are not entered do not exist.
func (l *Ledger) AddHead(log LogRef, id, seq int64) {
	if l.logs[log] != nil {
		return
	}
	l.logs[log] = &ledgerLog{id: id, seq: seq, standings: new(Standings)}
}

// AddMember enters a member of a room whose head was entered: every sender who is one, and in a room of at most
// MaxLive members (live) all of them.
func (l *Ledger) AddMember(room int64, user string, standing Standing, live bool) {
	head := l.logs[LogRef{Room: room}]
	if head == nil {
		return
	}
	if head.standings.Of == nil {
		head.standings.Of = make(map[string]Standing)
	}
	head.standings.Of[user] = standing
	if live {
		head.standings.Live = append(head.standings.Live, user)
	}
}

// AddRoom enters a room with its head and the standings that an earlier ledger had of it.
func (l *Ledger) AddRoom(room, seq int64, standings *Standings) {
	l.logs[LogRef{Room: room}] = &ledgerLog{id: room, seq: seq, standings: standings}
}

// AddStored enters an event that already has the client message id of a draft.
func (l *Ledger) AddStored(logID int64, sender, clientID string, seq int64) {
	l.stored[clientKey{logID, sender, clientID}] = seq
}

// Judge decides on each unit, in order. A refused unit leaves no trace, and the others as they are.
func (l *Ledger) Judge(units [][]Draft) Appended {
	count := 0
	for _, unit := range units {
		count += len(unit)
	}
	l.result.Outcomes = make([]Outcome, 0, len(units))
	l.result.Events = make([]Event, 0, count)
	stored := make([]Stored, 0, count)
	for _, unit := range units {
		from := len(stored)
		first := len(l.result.Events)
		l.changes = l.changes[:0]
		refusal := (*Error)(nil)
		for i := range unit {
			var one Stored
			if one, refusal = l.enter(&unit[i]); refusal != nil {
				refusal.Action, refusal.ClientMessageID = i, unit[i].ClientMessageID
				break
			}
			stored = append(stored, one)
		}
		if refusal != nil {
			l.takeBack(first)
			stored = stored[:from]
			l.result.Outcomes = append(l.result.Outcomes, Outcome{Err: refusal})
			continue
		}
		l.result.Outcomes = append(l.result.Outcomes, Outcome{Stored: stored[from:len(stored):len(stored)]})
	}
	l.result.Audience = l.audience()
	return l.result
}

// enter gives a draft its place. A repeat is answered before membership is asked for: its sender was a member when
// it was stored, and the answer is promised for ever.
func (l *Ledger) enter(d *Draft) (Stored, *Error) {
	head := l.logs[d.Log()]
	if head == nil {
		return Stored{}, noSuchRoom(d.Room)
	}
	key := clientKey{head.id, d.SenderID, d.ClientMessageID}
	if d.ClientMessageID != "" {
		if seq, ok := l.stored[key]; ok {
			return Stored{MessageID: MessageID(head.id, seq), Seq: seq, Duplicate: true}, nil
		}
	}
	var aim *target
	if d.Target > 0 {
		aim = l.find(logPlace{head.id, d.Target})
		if seq, ok := aim.repeats(d); ok {
			return Stored{MessageID: MessageID(head.id, seq), Seq: seq, Duplicate: true}, nil
		}
	}
	if d.Inbox == "" {
		standing, do := head.standings.Of[d.SenderID], actSend
		if d.Kind == KindRecalled {
			do = actRecall
		}
		sender := Member{UserID: d.SenderID, Role: standing.Role, MutedUntil: standing.MutedUntil}
		if refusal := may(sender, do, d.Room, l.now); refusal != nil {
			return Stored{}, refusal
		}
	}
	if d.Target > 0 {
		if refusal := l.mayRevise(d, aim); refusal != nil {
			return Stored{}, refusal
		}
	}
	if d.HoldOff > 0 {
		return Stored{}, roomIsBusy(d.Room, d.HoldOff)
	}
	if d.Target > 0 {
		l.revise(d, aim, logPlace{head.id, head.seq + 1})
	}
	head.seq++
	if d.ClientMessageID != "" {
		l.stored[key] = head.seq
	}
	e := d.event(head.id, head.seq, l.now)
	l.result.Events = append(l.result.Events, e)
	return Stored{MessageID: e.MessageID, Seq: e.Seq}, nil
}

// takeBack removes the events from the first on, the newest first, and what they changed.
func (l *Ledger) takeBack(first int) {
	l.takeBackChanges()
	for _, e := range slices.Backward(l.result.Events[first:]) {
		l.logs[e.Log].seq--
		delete(l.stored, clientKey{e.LogID, e.Sender(), e.ClientMessageID})
	}
	clear(l.result.Events[first:])
	l.result.Events = l.result.Events[:first]
}

func (l *Ledger) audience() map[int64][]string {
	var audience map[int64][]string
	for i := range l.result.Events {
		log := l.result.Events[i].Log
		head := l.logs[log]
		if head.grown {
			continue
		}
		head.grown = true
		if log.Room > 0 && len(head.standings.Live) > 0 {
			if audience == nil {
				audience = make(map[int64][]string)
			}
			audience[log.Room] = head.standings.Live
		}
	}
	return audience
}

// Grown is a log whose head moved.
type Grown struct {
	Log        LogRef
	LogID, Seq int64
	Standings  *Standings // what the ledger knew of the room
}

// Grown returns the new heads of the logs that Judge gave events, in order of log id.
func (l *Ledger) Grown() []Grown {
	grown := make([]Grown, 0, len(l.logs))
	for log, head := range l.logs {
		if head.grown {
			grown = append(grown, Grown{log, head.id, head.seq, head.standings})
		}
	}
	slices.SortFunc(grown, func(a, b Grown) int { return int(min(1, max(-1, a.LogID-b.LogID))) })
	return grown
}

// event makes the event that a draft becomes at its place in the log.
func (d *Draft) event(logID, seq int64, at time.Time) Event {
	e := Event{
		Log: d.Log(), LogID: logID, Seq: seq, Kind: KindMessage, MessageID: MessageID(logID, seq),
		UserID: d.SenderID, ClientMessageID: d.ClientMessageID, Type: d.Type, Title: d.Title, Content: d.Content,
		Attachment: d.Attachment, At: at,
	}
	switch {
	case d.Inbox != "":
		e.Kind, e.UserID = KindNotification, d.Inbox
	case d.Kind != "":
		e.Kind, e.Target = d.Kind, d.Target
	}
	return e
}

// Sender is the sender id under which the event's client message id is unique in its log.
func (e *Event) Sender() string {
	if e.Kind == KindNotification {
		return ""
	}
	return e.UserID
}
