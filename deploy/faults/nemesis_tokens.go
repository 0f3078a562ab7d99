package faults

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fliliy/chat/gateway"
	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

const (
	holdersEach   = 10               // sessions of one user, at each gateway
	revokedBar    = 2 * time.Second  // from the answer to DisconnectUser to the last session's end
	revokedAlone  = 15 * time.Second // the same, without NATS
	expiredBar    = 5 * time.Second  // after exp and leeway
	tokenLeeway   = 5 * time.Second  // as gateways have it
	shortLife     = 4 * time.Second
	tokenPatience = 30 * time.Second // after which a session that should have ended counts as there for ever
)

// stranger is the id of a user nobody knows yet.
func (n *nemesis) stranger(what string) string {
	return what + "-" + strconv.FormatUint(n.random.Uint64(), 36)
}

// expire is row 19: tokens end in the middle of sessions, of silent ones too. Those who show a new token in time stay.
func expire(ctx context.Context, n *nemesis) (verdict, error) {
	began := time.Now()
	ending, err := n.holders(ctx, n.stranger("late"), holdersEach, shortLife)
	if err != nil {
		return nil, err
	}
	defer dismiss(ending)
	who := n.stranger("renewed")
	renewed, err := n.holders(ctx, who, holdersEach, shortLife)
	if err != nil {
		return nil, err
	}
	defer dismiss(renewed)
	longer, err := gateway.SignToken(n.secret, who, time.Hour)
	if err != nil {
		return nil, err
	}
	for _, h := range renewed {
		if err := h.renew(ctx, longer); err != nil {
			return nil, fmt.Errorf("show a new token: %w", err)
		}
	}
	n.say("%d tokens end in %s", len(ending), shortLife)
	left := awaitOver(ctx, ending, tokenPatience)
	if left > 0 {
		return broken("%d of %d sessions outlive their token by %s", left, len(ending), tokenPatience), ctx.Err()
	}
	if !pause(ctx, time.Second) { // for those who stay, so that their tokens have ended for sure
		return nil, ctx.Err()
	}
	var ends, receipts []time.Time
	codes := 0
	for _, h := range ending {
		ends, receipts = append(ends, h.ended), append(receipts, h.heard)
		if h.code == "TOKEN_EXPIRED" {
			codes++
		}
	}
	first, last := slices.MinFunc(ends, time.Time.Compare), slices.MaxFunc(ends, time.Time.Compare)
	heard := slices.MaxFunc(receipts, time.Time.Compare)
	end, lost := began.Add(shortLife).Truncate(time.Second).Add(tokenLeeway), 0 // "exp" is a whole second
	for _, h := range renewed {
		if h.isOver() {
			lost++
		}
	}
	return func(*facts) (string, bool) {
		return fmt.Sprintf("%d sessions ended %s to %s after exp + leeway, with TOKEN_EXPIRED: %d; the last RECEIPT %s after it; "+
				"of %d renewed ones %d were lost", len(ending), seconds(first.Sub(end)), seconds(last.Sub(end)), codes,
				seconds(heard.Sub(end)), len(renewed), lost),
			last.Sub(end) <= expiredBar && first.Sub(end) >= -time.Second && codes == len(ending) && lost == 0
	}, nil
}

// revoke is row 20: a user's tokens are revoked, with NATS and without; others stay.
func revoke(ctx context.Context, n *nemesis) (verdict, error) {
	others, err := n.holders(ctx, n.stranger("other"), holdersEach, time.Hour)
	if err != nil {
		return nil, err
	}
	defer dismiss(others)
	with, err := n.revokeOne(ctx, func() error { return nil })
	if err != nil {
		return nil, err
	}
	without, err := n.revokeOne(ctx, func() error { n.nats.Kill(); return nil })
	if err != nil {
		return nil, err
	}
	if err := n.nats.Start(); err != nil {
		return nil, err
	}
	lost := 0
	for _, h := range others {
		if h.isOver() {
			lost++
		}
	}
	return func(*facts) (string, bool) {
		return fmt.Sprintf("%d sessions on %d gateways ended %s after the answer, without NATS %s, with UNAUTHENTICATED: %d and %d; "+
				"the token let in again: %d times; others lost: %d of %d", with.sessions, len(n.gateways), seconds(with.took),
				seconds(without.took), with.codes, without.codes, with.letIn+without.letIn, lost, len(others)),
			with.took <= revokedBar && without.took <= revokedAlone && with.codes == with.sessions &&
				without.codes == without.sessions && with.letIn+without.letIn == 0 && lost == 0
	}, nil
}

// revoked is what came of one revocation.
type revoked struct {
	sessions, codes int
	took            time.Duration // to the end of the last session
	letIn           int           // how many gateways took the token afterwards
}

// revokeOne has a user connected everywhere, breaks what is to be broken, and revokes her tokens.
func (n *nemesis) revokeOne(ctx context.Context, breakIt func() error) (revoked, error) {
	who := n.stranger("revoked")
	all, err := n.holders(ctx, who, holdersEach, time.Hour)
	if err != nil {
		return revoked{}, err
	}
	defer dismiss(all)
	token, err := gateway.SignToken(n.secret, who, time.Hour)
	if err != nil {
		return revoked{}, err
	}
	if err := breakIt(); err != nil {
		return revoked{}, err
	}
	if err := n.disconnect(ctx, who); err != nil {
		return revoked{}, err
	}
	answered := time.Now()
	r := revoked{sessions: len(all)}
	if awaitOver(ctx, all, tokenPatience) > 0 {
		r.took = tokenPatience
		return r, ctx.Err()
	}
	for _, h := range all {
		r.took = max(r.took, h.ended.Sub(answered))
		if h.code == "UNAUTHENTICATED" {
			r.codes++
		}
	}
	for _, g := range n.gateways {
		if again, err := hold(ctx, n.socketOf(g), token, false); err == nil {
			r.letIn++
			dismiss([]*holder{again})
		}
	}
	return r, nil
}

// disconnect revokes a user's tokens at any replica, as an internal service does.
func (n *nemesis) disconnect(ctx context.Context, who string) error {
	replica := n.anyReplica()
	conn, err := grpc.NewClient("passthrough:///"+replica.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", replica.Name, err)
	}
	defer func() { _ = conn.Close() }()
	_, err = chatv1.NewChatServiceClient(conn).DisconnectUser(ctx, &chatv1.DisconnectUserRequest{UserId: who, Reason: "a test"})
	if err != nil {
		return fmt.Errorf("disconnect a user at %s: %w", replica.Name, err)
	}
	return nil
}

// broken is the verdict of a fault whose end never came.
func broken(format string, args ...any) verdict {
	return func(*facts) (string, bool) { return fmt.Sprintf(format, args...), false }
}
