package session

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/fliliy/chat/gateway/internal/action"
	"github.com/fliliy/chat/gateway/internal/event"
	"github.com/fliliy/chat/gateway/internal/metrics"
	"github.com/fliliy/chat/gateway/internal/stomp"
)

// transaction holds the SENDs and ACKs of a client until it commits them, all or none. Only the reader touches it.
type transaction struct {
	id      string
	actions []action.Action
	acks    []acknowledged // one per room
	frames  int
	bytes   int
	refused bool // one of its frames was: it cannot be committed
}

// acknowledge takes what an ACK or NACK comes to; of a room only the highest seq counts.
func (tx *transaction) acknowledge(got acknowledged) {
	switch {
	case got.settled != nil && !tx.refused:
		tx.actions = append(tx.actions, settleAction(got.settled))
		return
	case got.seq == 0:
		return
	}
	for i := range tx.acks {
		if tx.acks[i].room == got.room {
			tx.acks[i].seq = max(tx.acks[i].seq, got.seq)
			return
		}
	}
	tx.acks = append(tx.acks, got)
}

// all returns what a COMMIT hands over: the SENDs in their order, then the marks.
func (tx *transaction) all() []action.Action {
	for _, got := range tx.acks {
		tx.actions = append(tx.actions, deliveredAction(got.room, got.seq))
	}
	return tx.actions
}

// begin opens a transaction.
func (s *session) begin(f *stomp.Frame) error {
	id, err := required(f, transactionHeader)
	if err != nil {
		return err
	}
	if s.transactionIndex(id) >= 0 {
		return malformed(f, "transaction exists", "the session has an open transaction with this id already")
	}
	if len(s.reader.transactions) >= s.cfg.Transactions.Open {
		return beyondLimit(f, metrics.LimitTransactions, "too many transactions",
			"a session may have "+strconv.Itoa(s.cfg.Transactions.Open)+" open transactions")
	}
	s.reader.transactions = append(s.reader.transactions, &transaction{id: id})
	s.answer(requestOf(f), nil)
	return nil
}

// sendWithin puts a SEND into its transaction.
func (s *session) sendWithin(f *stomp.Frame) error {
	tx, err := s.openTransaction(f, f.Header.Get(transactionHeader))
	if err != nil {
		return err
	}
	if err := s.fits(f, tx); err != nil {
		return err
	}
	req := requestOf(f)
	target, refused := s.deps.Destinations.ParseSend(req.destination)
	if refused == nil && verbs[target.Kind] == 0 {
		refused = fmt.Errorf("%s does not take part in transactions; send it without one", req.destination)
	}
	cause, err := s.maySend()
	if refused != nil {
		cause = invalid("%v", refused)
	}
	if cause != nil || err != nil {
		tx.refused, tx.actions = true, nil
		req.body = f.Body
		return s.refuseOrEnd(req, cause, err)
	}
	if !tx.refused {
		tx.actions = append(tx.actions, newAction(f, target))
	}
	s.answer(req, nil)
	return nil
}

// fits counts a frame into a transaction, within the limits.
func (s *session) fits(f *stomp.Frame, tx *transaction) error {
	limits := s.cfg.Transactions
	tx.frames++
	tx.bytes += len(f.Body)
	if tx.frames > limits.Frames || tx.bytes > limits.Bytes {
		return beyondLimit(f, metrics.LimitTransactionSize, "transaction too large", "a transaction may have "+strconv.Itoa(limits.Frames)+
			" frames with "+strconv.Itoa(limits.Bytes)+" bytes of bodies; commit earlier")
	}
	return nil
}

// commit hands a transaction to the chat service as one unit. It is a barrier, and its RECEIPT says that all is
// stored.
func (s *session) commit(f *stomp.Frame) error {
	req := requestOf(f)
	tx, err := s.closeTransaction(f)
	if err != nil {
		return err
	}
	switch {
	case !s.barrier():
	case tx.refused:
		s.answer(req, &event.Error{
			Code: event.Invalid, Message: "a frame of the transaction was refused, so none of it was stored",
		})
	case len(tx.actions) == 0 && len(tx.acks) == 0:
		s.answer(req, nil)
	default:
		s.submit(req, tx.all())
	}
	return nil
}

// abort discards a transaction.
func (s *session) abort(f *stomp.Frame) error {
	if _, err := s.closeTransaction(f); err != nil {
		return err
	}
	s.answer(requestOf(f), nil)
	return nil
}

// openTransaction returns the transaction that a frame names.
func (s *session) openTransaction(f *stomp.Frame, id string) (*transaction, error) {
	i := s.transactionIndex(id)
	if i < 0 {
		return nil, malformed(f, "unknown transaction", "the session has no open transaction with this id")
	}
	return s.reader.transactions[i], nil
}

// closeTransaction removes and returns the transaction that COMMIT or ABORT names.
func (s *session) closeTransaction(f *stomp.Frame) (*transaction, error) {
	id, err := required(f, transactionHeader)
	if err != nil {
		return nil, err
	}
	tx, err := s.openTransaction(f, id)
	if err != nil {
		return nil, err
	}
	i := s.transactionIndex(id)
	s.reader.transactions = slices.Delete(s.reader.transactions, i, i+1)
	return tx, nil
}

func (s *session) transactionIndex(id string) int {
	return slices.IndexFunc(s.reader.transactions, func(tx *transaction) bool { return tx.id == id })
}
