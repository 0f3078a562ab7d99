-- +goose Up

-- target_seq: of an EDITED or RECALLED event, the seq of the message. Of a message that was edited or recalled: when it
-- was edited last, and the seqs of the newest edit and of the recall. A recalled message, and the edits of one, have no
-- content any more.
ALTER TABLE events ADD COLUMN target_seq bigint, ADD COLUMN edited_at timestamptz, ADD COLUMN edited_by bigint,
    ADD COLUMN recalled_by bigint;
CREATE INDEX events_of_target ON events (log_id, target_seq) WHERE target_seq IS NOT NULL;

-- +goose Down
DROP INDEX events_of_target;
ALTER TABLE events DROP COLUMN target_seq, DROP COLUMN edited_at, DROP COLUMN edited_by, DROP COLUMN recalled_by;
