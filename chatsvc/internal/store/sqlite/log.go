package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

// Append implements commit.Batcher. The transaction is the only one that writes, which is the lock of all heads.
func (s *Store) Append(ctx context.Context, units [][]chat.Draft) (chat.Appended, error) {
	var appended chat.Appended
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		ledger, err := readLedger(ctx, tx, units)
		if err != nil {
			return fmt.Errorf("read heads: %w", err)
		}
		appended = ledger.Judge(units)
		if err := insertEvents(ctx, tx, appended.Events); err != nil {
			return err
		}
		if err := reviseMessages(ctx, tx, ledger.Revised()); err != nil {
			return err
		}
		return moveHeads(ctx, tx, appended, ledger.Grown())
	})
	if err != nil {
		return chat.Appended{}, err
	}
	return appended, nil
}

// readLedger enters what the units touch, log by log.
func readLedger(ctx context.Context, tx *sql.Tx, units [][]chat.Draft) (*chat.Ledger, error) {
	r := ledgerReader{tx: tx, ledger: chat.NewLedger(now()), heads: make(map[chat.LogRef]head)}
	for _, unit := range units {
		for i := range unit {
			if err := r.enter(ctx, &unit[i]); err != nil {
				return nil, err
			}
		}
	}
	return r.ledger, nil
}

type head struct {
	id, seq int64
	members int
	entered bool // the members are
}

type ledgerReader struct {
	tx     *sql.Tx
	ledger *chat.Ledger
	heads  map[chat.LogRef]head
}

// enter reads what decides about one draft. About a room that does not exist it asks the same as about one that the sender
// is not in, whose members it does not read: how long it takes does not tell which it was.
func (r *ledgerReader) enter(ctx context.Context, d *chat.Draft) error {
	log := d.Log()
	h, known := r.heads[log]
	if !known {
		var err error
		if h, err = r.readHead(ctx, log); err != nil {
			return err
		}
		r.heads[log] = h
		if h.id > 0 {
			r.ledger.AddHead(log, h.id, h.seq)
		}
	}
	if log.Room > 0 {
		in, err := r.enterSender(ctx, d)
		if err != nil {
			return err
		}
		if in && !h.entered && h.members <= chat.MaxLive {
			if err := r.enterMembers(ctx, log.Room); err != nil {
				return err
			}
			h.entered = true
			r.heads[log] = h
		}
		h.id = log.Room
	}
	if d.Target > 0 {
		if err := r.enterTarget(ctx, h.id, d.Target); err != nil {
			return err
		}
	}
	return r.enterStored(ctx, h.id, d)
}

// readHead reads a log's head; the zero head is that of no log. An inbox that does not exist yet is made.
func (r *ledgerReader) readHead(ctx context.Context, log chat.LogRef) (head, error) {
	h := head{id: log.Room}
	if log.User != "" {
		id, err := r.inbox(ctx, log.User)
		if err != nil {
			return head{}, err
		}
		h.id = id
	}
	err := r.tx.QueryRowContext(ctx, `SELECT head_seq, member_count FROM logs WHERE log_id = ?`, h.id).
		Scan(&h.seq, &h.members)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil
	}
	return h, err
}

func (r *ledgerReader) inbox(ctx context.Context, user string) (int64, error) {
	id, err := findInbox(ctx, r.tx, user)
	if err != nil || id > 0 {
		return id, err
	}
	made, err := r.tx.ExecContext(ctx, `INSERT INTO logs (changed_at) VALUES (?)`, now().UnixMicro())
	if err != nil {
		return 0, err
	}
	if id, err = made.LastInsertId(); err != nil {
		return 0, err
	}
	_, err = r.tx.ExecContext(ctx, `INSERT INTO inboxes (user_id, log_id) VALUES (?, ?)`, user, id)
	return id, err
}

func (r *ledgerReader) enterMembers(ctx context.Context, room int64) error {
	rows, err := r.tx.QueryContext(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = ?`, room)
	members, err := collect(rows, err, scanMember)
	for _, m := range members {
		r.ledger.AddMember(room, m.UserID, chat.Standing{Role: m.Role, MutedUntil: m.MutedUntil}, true)
	}
	return err
}

// enterSender says whether the sender is in the room.
func (r *ledgerReader) enterSender(ctx context.Context, d *chat.Draft) (bool, error) {
	row := r.tx.QueryRowContext(ctx, `SELECT `+memberColumns+` FROM members WHERE room_id = ? AND user_id = ?`,
		d.Room, d.SenderID)
	member, err := scanMember(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.ledger.AddMember(d.Room, d.SenderID, chat.Standing{Role: member.Role, MutedUntil: member.MutedUntil}, false)
	return true, nil
}

func (r *ledgerReader) enterStored(ctx context.Context, logID int64, d *chat.Draft) error {
	if d.ClientMessageID == "" {
		return nil
	}
	var seq int64
	err := r.tx.QueryRowContext(ctx, `SELECT seq FROM events
		WHERE log_id = ? AND sender_id = ? AND client_message_id = ?`, logID, d.SenderID, d.ClientMessageID).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		r.ledger.AddStored(logID, d.SenderID, d.ClientMessageID, seq)
	}
	return err
}

func moveHeads(ctx context.Context, tx *sql.Tx, appended chat.Appended, grown []chat.Grown) error {
	for _, g := range grown {
		at := appended.Events[0].At.UnixMicro()
		if _, err := tx.ExecContext(ctx, `UPDATE logs SET head_seq = ?, changed_at = ? WHERE log_id = ?`,
			g.Seq, at, g.LogID); err != nil {
			return fmt.Errorf("move a head: %w", err)
		}
	}
	return nil
}

func insertEvents(ctx context.Context, tx *sql.Tx, events []chat.Event) error {
	if len(events) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO events
		(log_id, seq, kind, sender_id, client_message_id, type, title, content, attachment, target_seq, at)
		VALUES (?, ?, ?, ?, nullif(?, ''), ?, nullif(?, ''), ?, nullif(?, ''), nullif(?, 0), ?)`)
	if err != nil {
		return fmt.Errorf("prepare to write events: %w", err)
	}
	defer func() { _ = insert.Close() }()
	for i := range events {
		e := &events[i]
		kind := e.Type
		if e.Kind == chat.KindMember {
			kind = string(e.Change)
		}
		if _, err := insert.ExecContext(ctx, e.LogID, e.Seq, string(e.Kind), e.Sender(), e.ClientMessageID, kind,
			e.Title, e.Content, string(e.Attachment), e.Target, e.At.UnixMicro()); err != nil {
			return fmt.Errorf("write an event: %w", err)
		}
	}
	return nil
}
