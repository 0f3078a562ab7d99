package relay

import (
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// balancing is the name of the policy: round robin over all replicas, but one that let a call or a stream wait in vain
// is left out for a while. A process that is frozen, or starved, keeps its connections, and counts as alive until the
// keep-alive finds it out, after 15 s; without this every second call would hang on it for as long.
const balancing = "fliliy_patient_round_robin"

// suspicion is how long a replica is left out, as long as there is another one.
const suspicion = 3 * time.Second

func init() {
	balancer.Register(base.NewBalancerBuilder(balancing, pickers{}, base.Config{HealthCheck: true}))
}

// pickers makes a picker whenever the set of connected replicas changes; suspicions are forgotten then.
type pickers struct{}

func (pickers) Build(info base.PickerBuildInfo) balancer.Picker {
	if len(info.ReadySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	p := &picker{}
	for conn := range info.ReadySCs {
		p.replicas = append(p.replicas, newCandidate(conn))
	}
	return p
}

// picker chooses a replica for each call. It is safe for concurrent use.
type picker struct {
	replicas []*candidate
	next     atomic.Uint32
}

// candidate is a connected replica.
type candidate struct {
	conn               balancer.SubConn
	suspectUntil       atomic.Int64 // Unix nanoseconds
	endCall, endStream func(balancer.DoneInfo)
}

func newCandidate(conn balancer.SubConn) *candidate {
	c := &candidate{conn: conn}
	c.endCall = func(info balancer.DoneInfo) { c.ended(info.Err, codes.DeadlineExceeded) }
	c.endStream = func(info balancer.DoneInfo) { c.ended(info.Err, codes.Canceled) } // we gave it up: see errStalled
	return c
}

// ended suspects the replica when a call ended with the code that says we waited in vain, and trusts it again when one
// succeeded.
func (c *candidate) ended(err error, inVain codes.Code) {
	switch status.Code(err) {
	case inVain:
		c.suspectUntil.Store(time.Now().Add(suspicion).UnixNano())
	case codes.OK:
		c.suspectUntil.Store(0)
	}
}

// Pick implements balancer.Picker.
func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	start, now := int(p.next.Add(1)), time.Now().UnixNano()
	chosen := p.replicas[start%len(p.replicas)] // when all are suspects
	for i := range p.replicas {
		if c := p.replicas[(start+i)%len(p.replicas)]; c.suspectUntil.Load() <= now {
			chosen = c
			break
		}
	}
	end := chosen.endCall
	if info.FullMethodName == chatv1.RelayService_Relay_FullMethodName {
		end = chosen.endStream
	}
	return balancer.PickResult{SubConn: chosen.conn, Done: end}, nil
}
