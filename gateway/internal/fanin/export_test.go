package fanin

import (
	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/gateway/internal/event"
)

// Take decodes data as if it had come on the subject of a log, and delivers it.
func Take(log event.Log, data []byte, hub Hub) {
	f, l := &Fanin{options: Options{}.withDefaults()}, newLane(2)
	l.put("subject", &interest{log: log, destination: log.Destination()})
	f.take(l, &nats.Msg{Subject: "subject", Data: data}, hub)
}

// TakeHeads decodes data as if it had come as a digest, and delivers it.
func TakeHeads(data []byte, hub Hub) {
	(&Fanin{options: Options{}.withDefaults()}).takeHeads(&nats.Msg{Data: data}, hub)
}
