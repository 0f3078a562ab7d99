package publish

import (
	"google.golang.org/protobuf/proto"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

// Revoked implements chat.Herald: all gateways are told at once, and ask for what is new. Who does not hear it asks a few
// seconds later by itself.
func (p *Publisher) Revoked(number int64) {
	data, err := proto.Marshal(&chatv1.Control{Revocation: number})
	if err != nil {
		p.opts.Metrics.Dropped.WithLabelValues("encode").Inc()
		return
	}
	if err := p.conn.Publish(subject.Control, data); err != nil {
		p.opts.Metrics.Dropped.WithLabelValues(reasonOf(err)).Inc()
		return
	}
	p.opts.Metrics.Sent.WithLabelValues("control").Inc()
}
