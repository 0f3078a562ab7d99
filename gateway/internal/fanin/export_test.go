package fanin

import (
	"github.com/nats-io/nats.go"

	"github.com/fliliy/chat/gateway/internal/event"
)

// options of all that the tests take apart: making its metrics costs more than what is measured or fuzzed.
var options = Options{}.withDefaults()

// Take decodes data as if it had come on the subject of a log, and delivers it.
func Take(log event.Log, data []byte, hub Hub) {
	f, l := &Fanin{options: options}, newLane(2)
	l.put("subject", &interest{log: log, destination: log.Destination()})
	f.take(l, &nats.Msg{Subject: "subject", Data: data}, hub)
}

// TakeHeads decodes data as if it had come as a digest, and delivers it.
func TakeHeads(data []byte, hub Hub) {
	(&Fanin{options: options}).takeHeads(&nats.Msg{Data: data}, hub)
}
