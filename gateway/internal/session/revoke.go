package session

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/principal"
)

// register finds the sessions of a user. It is sharded by user, as sessions come and go all the time.
type register struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu    sync.Mutex // taken alone
	users map[string][]*session
}

func newRegister() *register { return &register{seed: maphash.MakeSeed()} }

func (r *register) shard(user string) *shard {
	return &r.shards[maphash.String(r.seed, user)%uint64(len(r.shards))]
}

func (r *register) add(user string, s *session) {
	shard := r.shard(user)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.users == nil {
		shard.users = make(map[string][]*session)
	}
	shard.users[user] = append(shard.users[user], s)
}

func (r *register) remove(user string, s *session) {
	shard := r.shard(user)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	left := slices.DeleteFunc(shard.users[user], func(other *session) bool { return other == s })
	if len(left) == 0 {
		delete(shard.users, user)
		return
	}
	shard.users[user] = left
}

// of returns the sessions of a user.
func (r *register) of(user string) []*session {
	shard := r.shard(user)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return slices.Clone(shard.users[user])
}

// Revoke ends the sessions of the revocation's user whose tokens it covers: ERROR with the reason, then close 1008.
func (f *Factory) Revoke(r *principal.Revocation) {
	for _, s := range f.register.of(r.User) {
		s.revoke(r)
	}
}

func (s *session) revoke(r *principal.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil || !r.Covers(s.issued) {
		return
	}
	detail := r.Reason
	if detail == "" {
		detail = "this sign-in has been ended; sign in again"
	}
	failed := refusal(&event.Error{Code: event.Unauthenticated, Message: detail}, "")
	s.timeUp(failed)
}

// enroll makes the session known as one of its user, and looks whether her token was revoked in the meantime: a
// revocation that comes later finds the session.
func (s *session) enroll(who principal.Principal) error {
	s.mu.Lock()
	s.user, s.issued = who.User, who.Issued
	s.mu.Unlock()
	s.register.add(who.User, s)
	s.reader.enrolled = true
	return s.checkRevoked(who)
}

func (s *session) checkRevoked(who principal.Principal) error {
	ctx, done := s.call()
	defer done()
	return s.deps.Auth.Check(ctx, who)
}
