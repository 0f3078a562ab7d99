package swarm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fliliy/chat/deploy/loadgen/scenario"
	"github.com/fliliy/chat/deploy/loadgen/sockets"
)

var (
	errBroken  = errors.New("the server sent what is no STOMP frame")
	errRefused = errors.New("the server sent ERROR")
)

// settleTimeout is how long a stop waits for the receipts that are missing.
const settleTimeout = 10 * time.Second

// Swarm is the clients of one worker. All of it belongs to the goroutine of its loop.
type Swarm struct {
	plan    Plan
	loop    *sockets.Loop
	text    texts
	clients []client
	rooms   []room
	senders []sender
	account *account
	tell    func(Note)

	waiting                   []int // clients that want a connection
	atOnce, underway, live    int   // connections that may be, are being made; are live
	underwayMessages          int64
	started, loading          bool // everybody has been live; messages are sent
	stopping                  bool
	stormed                   time.Duration // when the storm was; 0: not yet, or all are back
	recovered                 time.Duration
	settleBy                  time.Duration
	settling                  bool
	expect                    map[int][]uint32
	tasks                     []task
	later                     []later
	turn                      int // of senders, in paced load and actions
	values                    scenario.Values
	out, content, id, padding []byte // of frames being built
}

// texts are the target's templates, compiled.
type texts struct {
	login                []loginHeader
	queues               []string
	topic, send, body    scenario.Template
	read, typing, status *action // nil: the target has no such thing
}

type loginHeader struct {
	name  string
	value scenario.Template
}

type action struct{ destination, body scenario.Template }

// New makes the clients of a plan; Start connects them. tell gets what is to be told, in the loop's goroutine.
func New(plan *Plan, tell func(Note)) (*Swarm, error) {
	if plan.Scenario.Load.Churn+plan.Scenario.Storm.Share > 0 && plan.Target.Resume == "" {
		return nil, fmt.Errorf("churn and storms need a server whose subscriptions can resume; %s has none", plan.Target.Name)
	}
	s := &Swarm{plan: *plan, tell: tell, account: newAccount(), atOnce: plan.Scenario.AtOnce}
	if err := s.compile(); err != nil {
		return nil, err
	}
	layout := scenario.NewLayout(&plan.Scenario)
	if len(plan.Rooms) != len(layout.Members) {
		return nil, fmt.Errorf("the plan has %d rooms, the scenario %d", len(plan.Rooms), len(layout.Members))
	}
	s.clients, s.rooms = newClients(plan, layout), newRooms(plan, layout)
	s.senders = findSenders(s.clients)
	for i := range s.senders {
		if by := &s.senders[i]; plan.Scenario.Rooms.Senders == 1 {
			s.rooms[by.to.room].sender = by
		}
	}
	s.padding = bytes.Repeat([]byte{'x'}, plan.Scenario.Payload-stampLen)
	for i := range s.clients {
		s.waiting = append(s.waiting, i)
	}
	var err error
	s.loop, err = sockets.New(s)
	return s, err
}

// Loop is the goroutine that the swarm belongs to.
func (s *Swarm) Loop() *sockets.Loop { return s.loop }

func (s *Swarm) compile() (err error) {
	t, target := &s.text, &s.plan.Target
	compile := func(text string) scenario.Template {
		compiled, failed := scenario.Compile(text)
		err = errors.Join(err, failed)
		return compiled
	}
	optional := func(a scenario.Action) *action {
		if a.Destination == "" {
			return nil
		}
		return &action{compile(a.Destination), compile(a.Body)}
	}
	t.topic, t.send, t.body = compile(target.Topic), compile(target.Send), compile(target.Body)
	t.read, t.typing, t.status = optional(target.Read), optional(target.Typing), optional(target.Status)
	for name, text := range target.Login {
		t.login = append(t.login, loginHeader{name, compile(text)})
	}
	load := s.plan.Scenario.Load
	if s.plan.Scenario.Queues {
		t.queues = slices.Clone(target.Queues)
	}
	sends := load.Closed != scenario.Never || load.Rate+load.Reads+load.Typing+load.Status > 0
	if sends && target.Errors != "" && !slices.Contains(t.queues, target.Errors) {
		t.queues = append(t.queues, target.Errors)
	}
	return err
}

// Start begins to connect everybody.
func (s *Swarm) Start() {
	s.account.begin()
	s.every(time.Second, func(time.Duration) { s.secondIsOver() })
	s.dialMore()
}

// allLive tells the first time that everybody is live, and when a storm is over.
func (s *Swarm) allLive() {
	if s.live < len(s.clients) {
		return
	}
	if s.stormed > 0 {
		s.recovered, s.stormed = s.loop.Now()-s.stormed, 0
	}
	if s.started {
		return
	}
	s.started = true
	if err := s.account.end(); err != nil {
		s.fail(err)
		return
	}
	s.tell(Note{Live: s.account.over})
}

func (s *Swarm) fail(err error) {
	s.tell(Note{Failed: fmt.Sprintf("%v; errors: %q", err, s.account.samples)})
}

// secondIsOver tells how it goes.
func (s *Swarm) secondIsOver() {
	tick, err := s.account.tick(s.live)
	if err != nil {
		s.fail(err)
		return
	}
	s.tell(Note{Tick: tick})
	if !s.started && tick.Counts.Broken > int64(10+len(s.clients)/2) {
		s.fail(errors.New("too many connections break"))
	}
	s.drained()
	s.settled()
}

// Go begins the load.
func (s *Swarm) Go() {
	s.loading = true
	load := s.plan.Scenario.Load
	if load.Closed != scenario.Never {
		for _, by := range s.senders {
			for range load.Window {
				s.sendNext(by, s.loop.Refresh())
			}
		}
	}
	s.pace(load.Rate, s.sendOne)
	s.pace(load.Reads, s.actOne(s.text.read))
	s.pace(load.Typing, s.actOne(s.text.typing))
	s.pace(load.Status, s.actOne(s.text.status))
	s.pace(load.Churn, func(time.Duration) { s.cutOne() })
	s.arm()
}

// Measure forgets what was counted, and counts from now on.
func (s *Swarm) Measure() {
	s.account.begin()
	if storm := s.plan.Scenario.Storm; storm.Share > 0 {
		s.later = append(s.later, later{s.loop.Refresh() + storm.After, func() { s.storm(storm.Share) }})
		s.arm()
	}
}

// storm cuts many connections at once, those of one server before those of the next.
func (s *Swarm) storm(share float64) {
	victims := make([]int, len(s.clients))
	for i := range victims {
		victims[i] = i
	}
	servers := len(s.plan.Servers)
	slices.SortStableFunc(victims, func(a, b int) int { return cmp.Compare(a%servers, b%servers) })
	s.stormed = s.loop.Refresh()
	for _, i := range victims[:int(share*float64(len(victims)))] {
		if s.clients[i].stage == live {
			s.cut(i)
		}
	}
	s.dialMore()
}

// Stop ends the load and the measurement; Note.Sent follows.
func (s *Swarm) Stop() {
	if err := s.account.end(); err != nil {
		s.fail(err)
		return
	}
	s.loading, s.stopping = false, true
	s.settleBy = s.loop.Refresh() + settleTimeout
	s.drained()
}

// drained tells how much was sent, once nothing is under way any more.
func (s *Swarm) drained() {
	if !s.stopping || s.underwayMessages > 0 && s.loop.Now() < s.settleBy {
		return
	}
	s.stopping = false
	sent := map[int][]uint32{}
	for _, by := range s.senders {
		if sent[by.to.room] == nil {
			sent[by.to.room] = make([]uint32, len(by.to.tracks))
		}
		sent[by.to.room][by.to.sender] = by.to.sent
	}
	s.tell(Note{Sent: &Sent{sent}})
}

// Settle waits until every subscription has everything, and tells what is missing then.
func (s *Swarm) Settle(expect map[int][]uint32, timeout time.Duration) {
	s.settling, s.expect, s.settleBy = true, expect, s.loop.Refresh()+timeout
	s.settled()
}

func (s *Swarm) settled() {
	if !s.settling {
		return
	}
	missing := int64(0)
	for i := range s.clients {
		for _, has := range s.clients[i].subs {
			for sender, count := range s.expect[has.room] {
				missing += int64(count) - int64(has.tracks[sender].came)
			}
		}
	}
	if missing != 0 && s.loop.Now() < s.settleBy {
		return
	}
	s.settling = false
	s.account.faults.Lost = missing
	result := s.account.over
	result.Faults, result.Samples, result.Recovered = s.account.faults, s.account.samples, s.recovered
	if s.stormed > 0 {
		result.Samples = append(result.Samples, fmt.Sprintf("%d connections never came back from the storm", len(s.clients)-s.live))
	}
	s.tell(Note{Result: result})
}
