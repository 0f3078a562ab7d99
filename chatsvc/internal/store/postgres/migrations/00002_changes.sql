-- +goose Up

-- What each transaction added to which logs: one row, inserted and never updated, so that every replica can name in its
-- digest what another has stored and not told. users has the owners of inboxes and '' for rooms; NULL: rooms only.
-- Rows are of use for a minute.
CREATE TABLE changes (
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    id        bigint GENERATED ALWAYS AS IDENTITY,
    log_ids   bigint[] NOT NULL,
    head_seqs bigint[] NOT NULL,
    users     text[],
    PRIMARY KEY (at, id)
) WITH (toast_tuple_target = 8160);
ALTER TABLE changes ALTER log_ids SET STORAGE MAIN, ALTER head_seqs SET STORAGE MAIN; -- in the row, not beside it

-- +goose Down
DROP TABLE changes;
