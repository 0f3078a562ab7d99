package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
	"github.com/fliliy/chat/proto/identity"
	"github.com/fliliy/chat/proto/subject"
)

// flushTimeout is how long NATS may take to swallow a flood.
const flushTimeout = time.Minute

// broker connects straight to NATS, past the proxies.
func (n *nemesis) broker() (*nats.Conn, error) {
	conn, err := nats.Connect("nats://" + n.all.At(natsOctet, natsPort))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return conn, nil
}

// natsDrops is row 6: a flood of envelopes that take long to read, and are broken at their end, on one room's subject;
// the gateways' queues overflow, and good events are dropped with the bad ones.
func natsDrops(ctx context.Context, n *nemesis) (verdict, error) {
	const floods = 30_000
	conn, err := n.broker()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	poison, err := heavyPoison()
	if err != nil {
		return nil, err
	}
	room := n.crowd.rooms[n.random.IntN(len(n.crowd.rooms))]
	before, err := n.gatewayCounts(ctx)
	if err != nil {
		return nil, err
	}
	w, err := n.during(func() error {
		for range floods {
			if err := conn.Publish(subject.Room(room), poison); err != nil {
				return fmt.Errorf("flood NATS: %w", err)
			}
		}
		if err := conn.FlushTimeout(flushTimeout); err != nil {
			return fmt.Errorf("flood NATS: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !pause(ctx, 2*time.Second) {
		return nil, ctx.Err()
	}
	after, err := n.gatewayCounts(ctx)
	if err != nil {
		return nil, err
	}
	dropped := float64(floods*len(n.gateways)) - (after.bad - before.bad)
	return func(f *facts) (string, bool) {
		complete := f.completeAfter(w)
		return fmt.Sprintf("flood of %s: %.0f envelopes dropped, %.0f holes met, %.0f repairs; all complete %s after it",
				seconds(w.to-w.from), dropped, after.holes-before.holes, after.repairs-before.repairs, seconds(complete)),
			dropped > 0 && complete <= 2*time.Second
	}, nil
}

// heavyPoison is an envelope of many events that cannot be read to its end.
func heavyPoison() ([]byte, error) {
	const events = 60
	envelope := &chatv1.Envelope{Log: &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: 1}}}
	for range events {
		envelope.Events = append(envelope.Events, &chatv1.Event{MessageId: "poison", Json: bytes.Repeat([]byte("x"), 50)})
	}
	data, err := proto.Marshal(envelope)
	if err != nil {
		return nil, fmt.Errorf("make poison: %w", err)
	}
	return append(data, 0xff), nil
}

// gatewayCounts are counters of all gateways, added up.
type gatewayCounts struct{ bad, holes, repairs float64 }

func (n *nemesis) gatewayCounts(ctx context.Context) (gatewayCounts, error) {
	var sum gatewayCounts
	for _, g := range n.gateways {
		for name, to := range map[string]*float64{
			"fliliy_gateway_fanin_bad_total": &sum.bad, "fliliy_gateway_hub_holes_total": &sum.holes,
			"fliliy_gateway_hub_repairs_total": &sum.repairs,
		} {
			value, err := g.Metric(ctx, name)
			if err != nil {
				return gatewayCounts{}, err
			}
			*to += value
		}
	}
	return sum, nil
}

// poison is row 24: garbage on NATS, on gRPC, and on every port.
func poison(ctx context.Context, n *nemesis) (verdict, error) {
	before, err := n.gatewayCounts(ctx)
	if err != nil {
		return nil, err
	}
	w, err := n.during(func() error {
		if err := n.poisonNATS(); err != nil {
			return err
		}
		if err := n.poisonGRPC(ctx); err != nil {
			return err
		}
		return n.poisonPorts(ctx)
	})
	if err != nil {
		return nil, err
	}
	if err := n.lull(ctx); err != nil {
		return nil, err
	}
	after, err := n.gatewayCounts(ctx)
	if err != nil {
		return nil, err
	}
	dead := 0
	for _, node := range n.nodes() {
		if !node.Alive() {
			dead++
		}
	}
	return func(f *facts) (string, bool) {
		bad, dropped := after.bad-before.bad, f.dropped(w, "")
		return fmt.Sprintf("%.0f envelopes counted as bad, %d processes died, %d sockets dropped", bad, dead, dropped),
			bad > 0 && dead == 0 && dropped == 0
	}, nil
}

// poisonNATS publishes garbage wherever gateways listen. None of it says anything that could be true.
func (n *nemesis) poisonNATS() error {
	const each = 20
	conn, err := n.broker()
	if err != nil {
		return err
	}
	defer conn.Close()
	elsewhere, err := proto.Marshal(&chatv1.Envelope{
		Log:    &chatv1.LogRef{Log: &chatv1.LogRef_ChatRoomId{ChatRoomId: 1 << 60}},
		Events: []*chatv1.Event{{MessageId: "x\ny", Kind: chatv1.EventKind_EVENT_KIND_MESSAGE, Seq: 1, Json: []byte("{}")}},
	})
	if err != nil {
		return fmt.Errorf("make poison: %w", err)
	}
	subjects := []string{subject.Heads, subject.User(twin), subject.User(user(0))}
	for _, room := range n.crowd.rooms {
		subjects = append(subjects, subject.Room(room))
	}
	for _, name := range subjects {
		for range each {
			if err := conn.Publish(name, n.garbage(1+n.random.IntN(2000))); err != nil {
				return fmt.Errorf("publish garbage: %w", err)
			}
		}
		if err := errors.Join(conn.Publish(name, nil), conn.Publish(name, elsewhere)); err != nil {
			return fmt.Errorf("publish garbage: %w", err)
		}
	}
	return conn.FlushTimeout(flushTimeout)
}

// garbage is random octets that protobuf refuses: they begin with a field number of 0.
func (n *nemesis) garbage(size int) []byte {
	data := make([]byte, size+8)
	for i := 0; i+8 <= len(data); i += 8 {
		binary.LittleEndian.PutUint64(data[i:], n.random.Uint64())
	}
	data[0] = 0
	return data[:size]
}

// rawCodec sends octets as gRPC messages.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }

func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// poisonGRPC calls the replicas with messages that are none. Every call has to end, in whatever way.
func (n *nemesis) poisonGRPC(ctx context.Context) error {
	const each = 20
	for _, r := range n.replicas {
		conn, err := grpc.NewClient("passthrough:///"+r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
		if err != nil {
			return fmt.Errorf("connect to %s: %w", r.Name, err)
		}
		for range each {
			if err := n.poisonStream(ctx, conn); err != nil {
				_ = conn.Close()
				return fmt.Errorf("send garbage to %s: %w", r.Name, err)
			}
			for _, method := range []string{"RelayService/Subscribe", "RelayService/ReadLog", "ChatService/SendMessage"} {
				var answer []byte
				acting := identity.WithUser(ctx, user(0))
				if conn.Invoke(acting, "/fliliy.chat.v1."+method, n.garbage(100), &answer) == nil {
					_ = conn.Close()
					return fmt.Errorf("%s takes garbage as %s", r.Name, method)
				}
			}
		}
		_ = conn.Close()
	}
	return nil
}

func (n *nemesis) poisonStream(ctx context.Context, conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, "/fliliy.chat.v1.RelayService/Relay")
	if err != nil {
		return err
	}
	if err := stream.SendMsg(n.garbage(1 + n.random.IntN(3000))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var answer []byte
	if stream.RecvMsg(&answer) == nil {
		return errors.New("it was answered")
	}
	return ctx.Err()
}

// poisonPorts throws octets at every port that listens.
func (n *nemesis) poisonPorts(ctx context.Context) error {
	var ports []string
	for _, g := range n.gateways {
		ports = append(ports, g.addr, g.Admin)
	}
	for _, r := range n.replicas {
		ports = append(ports, r.addr, r.Admin)
	}
	for _, port := range ports {
		for _, start := range []string{"", "GET /ws HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", port)
			if err != nil {
				return fmt.Errorf("dial %s: %w", port, err)
			}
			_, _ = conn.Write(append([]byte(start), n.garbage(1+n.random.IntN(5000))...)) // it may hang up on us
			_ = conn.Close()
		}
	}
	return nil
}
