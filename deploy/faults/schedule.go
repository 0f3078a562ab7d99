package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is one row of the fault matrix.
type fault struct {
	row   int
	name  string
	bar   string
	takes func(pace) time.Duration // about, with recovery
	do    func(context.Context, *nemesis) (verdict, error)
}

// faults are all that can be asked for, by row.
var faults = []fault{
	{
		1, "gateway killed (kill -9)",
		"clients on the other and caught up: p99 <= 5 s; who stays away offline <= 15 s, told once; nobody else",
		func(p pace) time.Duration {
			return time.Duration(p.kills)*5*time.Second + time.Duration(p.strangers)*5*time.Millisecond + presenceBar
		}, killGateways,
	},
	{
		2, "chatsvc killed (kill -9)", "0 sockets dropped, answers <= 5 s, service back <= 3 s", perKill(3 * time.Second),
		killReplicas,
	},
	{3, "chatsvc dies, or freezes, between commit and publish", "at all subscribers <= 2 s", func(p pace) time.Duration {
		return time.Duration(p.points+1)*3*time.Second + 2*p.freeze + 6*time.Second
	}, crashAfterCommit},
	{4, "NATS killed, back later", "sends acknowledged; complete <= 2 s after its return", func(p pace) time.Duration {
		return p.natsDown + 3*time.Second
	}, natsDown},
	{5, "gateway cut off from NATS, silently", "noticed <= 5 s, delivery <= 5 s", func(p pace) time.Duration {
		return p.partition + 3*time.Second
	}, natsPartition},
	{6, "NATS drops: queues overflow", "complete <= 2 s after the flood", fixed(8 * time.Second), natsDrops},
	{
		7, "PostgreSQL crashes", "0 sockets dropped, answers <= 5 s, first acknowledgement <= 5 s",
		func(p pace) time.Duration { return time.Duration(p.crashes) * (p.sqlDown + 4*time.Second) }, crashSQL,
	},
	{
		10, "Redis emptied; killed and back empty", "keys right <= 15 s, nobody told false, answers p99 <= +10 % or 50 ms",
		fixed(45 * time.Second), emptyRedis,
	},
	{
		11, "Redis a black hole", "stale <= 5 s, CONNECT and answers <= +50 ms, keys right <= 15 s, nobody told false",
		func(p pace) time.Duration { return 2*p.partition + 20*time.Second }, redisBlackHole,
	},
	{12, "slow consumer in a big room", "closed <= 10 s, others keep their sockets", fixed(10 * time.Second), slowConsumer},
	{
		15, "rolling restart (SIGTERM)", "0 failed sends, one announced reconnect for each gateway, nobody shown offline",
		fixed(30 * time.Second), rollingRestart,
	},
	{16, "half-open clients", "offline <= 30 s", fixed(40 * time.Second), halfOpen},
	{18, "each send three times, by two gateways", "one row, one broadcast, receipts name the same", func(p pace) time.Duration {
		return time.Duration(p.copies)*20*time.Millisecond + 2*time.Second
	}, repeats},
	{19, "tokens end in the middle of sessions", "ended <= 5 s after exp + leeway, silent ones too; renewed ones stay", fixed(
		shortLife + tokenLeeway + 3*time.Second), expire},
	{20, "a user's tokens are revoked", "ended on all gateways <= 2 s, without NATS <= 15 s; refused then; others stay", fixed(
		15 * time.Second), revoke},
	{22, "UNSUBSCRIBE and SUBSCRIBE races", "0 deliveries after UNSUBSCRIBE's receipt", func(p pace) time.Duration {
		return time.Duration(p.cycles)*30*time.Millisecond + 2*time.Second
	}, subscribeRaces},
	{24, "poison on NATS, garbage on gRPC", "counted, nobody dies", fixed(5 * time.Second), poison},
	{26, "two faults at once", "no violation", func(p pace) time.Duration {
		return time.Duration(p.pairs) * (p.partition/4 + 6*time.Second)
	}, pairs},
}

func fixed(d time.Duration) func(pace) time.Duration { return func(pace) time.Duration { return d } }

func perKill(d time.Duration) func(pace) time.Duration {
	return func(p pace) time.Duration { return time.Duration(p.kills) * d }
}

// Rows are the rows of the fault matrix that can be asked for.
func Rows() []int {
	rows := make([]int, len(faults))
	for i, f := range faults {
		rows[i] = f.row
	}
	return rows
}

// ParseRows reads rows separated by commas, as 1,2,26. Empty is all.
func ParseRows(list string) ([]int, error) {
	if strings.TrimSpace(list) == "" {
		return Rows(), nil
	}
	var rows []int
	for text := range strings.SplitSeq(list, ",") {
		row, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || !slices.Contains(Rows(), row) {
			return nil, fmt.Errorf("no fault %q: there are %v", text, Rows())
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// step is one fault of a run. Its random choices are its own, so that they do not depend on what came before.
type step struct {
	fault
	seed uint64
}

// schedule draws the faults of a run from its seed: every row once, in a random order, and again as long as they fit
// into the duration. The first round is whole, however short the duration is.
func schedule(seed uint64, duration time.Duration, rows []int, p pace) []step {
	random := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // G404: reproducible, not secret
	var steps []step
	for spent, round := time.Duration(0), 0; ; round++ {
		for _, i := range random.Perm(len(rows)) {
			at := slices.IndexFunc(faults, func(f fault) bool { return f.row == rows[i] })
			next := step{faults[at], random.Uint64()}
			spent += next.takes(p)
			if round > 0 && spent > duration {
				return steps
			}
			steps = append(steps, next)
		}
	}
}
