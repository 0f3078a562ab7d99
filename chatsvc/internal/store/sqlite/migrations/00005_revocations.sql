-- +goose Up

-- Which tokens are refused before their time: for a user those issued before a moment. Gateways ask for what is after the
-- last number that they know. AUTOINCREMENT never goes back, also when the last rows are deleted. Times are microseconds.
CREATE TABLE revocations (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       TEXT NOT NULL UNIQUE,
    issued_before INTEGER NOT NULL,
    reason        TEXT NOT NULL,
    until         INTEGER NOT NULL
);
CREATE INDEX revocations_until ON revocations (until);

-- +goose Down
DROP TABLE revocations;
