-- +goose Up

-- Which tokens are refused before their time: for a user those issued before a moment. Gateways ask for what is after the
-- last number that they know. The sequence never goes back, also when the last rows are deleted.
CREATE TABLE revocations (
    user_id       text PRIMARY KEY,
    number        bigint NOT NULL UNIQUE,
    issued_before timestamptz NOT NULL,
    reason        text NOT NULL,
    until         timestamptz NOT NULL
);
CREATE INDEX revocations_until ON revocations (until);
CREATE SEQUENCE revocation_numbers OWNED BY revocations.number;

-- +goose Down
DROP TABLE revocations;
