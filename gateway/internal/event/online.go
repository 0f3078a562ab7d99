package event

import "time"

// Online is who is online in a room at a moment: the content of a PRESENCE event.
type Online struct {
	Members   []OnlineMember // in no order
	Truncated bool           // there are more of them
	Stale     bool           // only what this gateway knows by itself, since the shared state is out of reach
}

// OnlineMember is one user who is online, with her status over all her devices: online, away or busy.
type OnlineMember struct {
	User   string
	Status string
}

// StatusChange is a user's new status: online, away, busy or offline.
type StatusChange struct {
	User   string
	Status string
	At     time.Time // those of one user's changes always rise
}
