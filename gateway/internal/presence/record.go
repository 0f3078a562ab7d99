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

var statusNames = [...]string{away: "away", online: "online", busy: "busy"}

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
}

func (u *user) record() record {
	if len(u.sessions) == 0 {
		return record{user: u.id}
	}
	var best status
	var rooms []int64
	for _, s := range u.sessions {
		best = max(best, s.status)
		rooms = append(rooms, s.rooms...)
	}
	slices.Sort(rooms)
	text := []byte(statusNames[best])
	for _, room := range slices.Compact(rooms) {
		text = append(text, ' ')
		text = strconv.AppendInt(text, room, 10)
	}
	return record{user: u.id, text: string(text)}
}
