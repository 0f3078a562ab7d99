package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fliliy/chat/chatsvc/internal/chat"
)

const reviseMessages = `
	UPDATE events SET content = r.content, edited_by = nullif(r.edited_by, 0), recalled_by = nullif(r.recalled_by, 0),
		edited_at = CASE WHEN r.edited THEN $7 ELSE events.edited_at END,
		attachment = CASE WHEN r.recalled_by > 0 THEN NULL ELSE events.attachment END
	FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[])
		r (log_id, seq, content, edited_by, edited, recalled_by)
	WHERE events.log_id = r.log_id AND events.seq = r.seq`

// blankEdits takes the content of the edits of a recalled message out. It is run for one message at a time: joined with
// a list, the planner would rather read all edits there are.
const blankEdits = `
	UPDATE events SET content = '', recalled_by = $3 WHERE log_id = $1 AND target_seq = $2 AND kind = 'EDITED'`

// queueRevisions queues what edits and recalls do to their targets, which may have been inserted just before.
func queueRevisions(batch *pgx.Batch, revised []chat.Revision, at time.Time) {
	n := len(revised)
	if n == 0 {
		return
	}
	ids, seqs, editedBy, recalledBy := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	contents, edited := make([]string, n), make([]bool, n)
	for i, r := range revised {
		ids[i], seqs[i], contents[i], editedBy[i], recalledBy[i] = r.LogID, r.Seq, r.Content, r.EditedBy, r.RecalledBy
		edited[i] = !r.EditedAt.IsZero()
		if r.RecalledBy > 0 && r.EditedBy > 0 {
			batch.Queue(blankEdits, r.LogID, r.Seq, r.RecalledBy)
		}
	}
	batch.Queue(reviseMessages, ids, seqs, contents, editedBy, edited, recalledBy, at)
}
