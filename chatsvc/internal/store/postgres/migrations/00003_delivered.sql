-- +goose Up

-- Up to where a member's devices have acknowledged. What is read is delivered: it counts only where it is ahead of
-- read_seq.
ALTER TABLE members ADD COLUMN delivered_seq bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE members DROP COLUMN delivered_seq;
