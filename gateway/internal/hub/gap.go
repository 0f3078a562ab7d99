package hub

import (
	"strconv"

	"github.com/fliliy/chat/gateway/internal/event"
)

// newGap makes the event that says which stretch of a log a resumed subscription has to page through by REST.
func newGap(log event.Log, from, to int64) event.Event {
	name := "inbox"
	json := []byte(`{"event":"GAP",`)
	if log.Room > 0 {
		name = strconv.FormatInt(log.Room, 10)
		json = append(json, `"chatRoomId":"`+name+`",`...)
	}
	json = append(json, `"fromSeq":`...)
	json = strconv.AppendInt(json, from, 10)
	json = append(json, `,"toSeq":`...)
	json = strconv.AppendInt(json, to, 10)
	json = append(json, '}')
	id := name + "-gap-" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(to, 10)
	return event.New(log.Destination(), event.Gap, 0, id, json)
}
