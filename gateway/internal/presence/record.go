package presence

import (
	"slices"
	"strconv"
)

// status of a session or of a user; a greater one wins over a smaller one.
type status uint8

const (
	away status = iota + 1
	online
	busy
)

var statusNames = [...]string{0: offline, away: "away", online: "online", busy: "busy"}

// offline is what nobody sets: to have no session.
const offline = "offline"

func (s status) String() string { return statusNames[s] }

func parseStatus(name string) (status, bool) {
	for s := away; s <= busy; s++ {
		if statusNames[s] == name {
			return s, true
		}
	}
	return 0, false
}

// record is what a user's sessions on this gateway add up to, as scripts/apply.lua reads it.
type record struct {
	user string
	text string // "status room room ...", or empty without a session
	told told   // what this gateway believes everyone knows of her
}

func (u *user) record() record {
	best, rooms := u.total()
	if best == 0 {
		return record{user: u.id, told: u.told}
	}
	text := []byte(best.String())
	for _, room := range rooms {
		text = append(text, ' ')
		text = strconv.AppendInt(text, room, 10)
	}
	return record{user: u.id, text: string(text), told: u.told}
}

// total is the user's status on this gateway, 0 without a session, and the rooms she has open, each once.
func (u *user) total() (status, []int64) {
	var best status
	var rooms []int64
	for _, s := range u.sessions {
		best = max(best, s.status)
		rooms = append(rooms, s.rooms...)
	}
	slices.Sort(rooms)
	return best, slices.Compact(rooms)
}
