-- +goose Up

-- target_seq: of an EDITED or RECALLED event, the seq of the message. Of a message that was edited or recalled: when it
-- was edited last, and the seqs of the newest edit and of the recall. A recalled message, and the edits of one, have no
-- content any more.
ALTER TABLE events ADD COLUMN target_seq INTEGER;
ALTER TABLE events ADD COLUMN edited_at INTEGER;
ALTER TABLE events ADD COLUMN edited_by INTEGER;
ALTER TABLE events ADD COLUMN recalled_by INTEGER;
CREATE INDEX events_of_target ON events (log_id, target_seq) WHERE target_seq IS NOT NULL;

-- +goose Down
DROP INDEX events_of_target;
ALTER TABLE events DROP COLUMN target_seq;
ALTER TABLE events DROP COLUMN edited_at;
ALTER TABLE events DROP COLUMN edited_by;
ALTER TABLE events DROP COLUMN recalled_by;
