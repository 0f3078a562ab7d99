package publish_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fliliy/chat/chatsvc/internal/publish"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/subject"
)

func TestRevokedTellsAllGateways(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	ear := listen(t, broker.url())
	r := newRig(t, broker.url(), publish.Options{}).run(t)
	r.publisher.Revoked(7)
	m := ear.next(false)
	control := new(chatv1.Control)
	if err := proto.Unmarshal(m.Data, control); err != nil || m.Subject != subject.Control || control.GetRevocation() != 7 {
		t.Errorf("%s carries %v, %v; want revocation 7 on %s", m.Subject, control, err, subject.Control)
	}
}
