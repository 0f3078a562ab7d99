-- +goose Up

-- Ids of logs: a room's id is its log's id, and inboxes take theirs from the same sequence.
CREATE SEQUENCE log_ids AS bigint;

-- The head of every log. Whoever adds to a log, or changes who is in its room, locks this row first.
CREATE TABLE logs (
    log_id       bigint PRIMARY KEY,
    head_seq     bigint NOT NULL DEFAULT 0,
    member_count integer NOT NULL DEFAULT 0,
    changed_at   timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE inboxes (
    user_id text COLLATE "C" PRIMARY KEY,
    log_id  bigint NOT NULL
);

CREATE TABLE rooms (
    room_id    bigint PRIMARY KEY,
    name       text NOT NULL,
    listing_id text NOT NULL,
    direct     boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);

-- One direct room for a pair of users (in order) and a listing.
CREATE TABLE direct_rooms (
    first_user  text COLLATE "C",
    second_user text COLLATE "C",
    listing_id  text COLLATE "C",
    room_id     bigint NOT NULL,
    PRIMARY KEY (first_user, second_user, listing_id)
);

CREATE TABLE members (
    room_id   bigint,
    user_id   text COLLATE "C",
    role      smallint NOT NULL,
    joined_at timestamptz NOT NULL,
    read_seq  bigint NOT NULL,
    PRIMARY KEY (room_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX members_of_user ON members (user_id, room_id);

-- The logs themselves. Every unique key has the log id, so that a distributed PostgreSQL can shard by it.
-- sender_id is the user the event is about; empty for notifications, which come from the service.
-- type of a MEMBER event is the change.
CREATE TABLE events (
    log_id            bigint NOT NULL,
    seq               bigint NOT NULL,
    kind              text NOT NULL,
    sender_id         text COLLATE "C" NOT NULL,
    client_message_id text COLLATE "C",
    type              text NOT NULL,
    title             text,
    content           text NOT NULL,
    attachment        text,
    at                timestamptz NOT NULL,
    PRIMARY KEY (log_id, seq)
) PARTITION BY HASH (log_id);
CREATE UNIQUE INDEX events_once ON events (log_id, sender_id, client_message_id) WHERE client_message_id IS NOT NULL;
CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE events_1 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE events_2 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE events_3 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE events_4 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE events_5 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE events_6 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE events_7 PARTITION OF events FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- +goose Down
DROP TABLE events, members, direct_rooms, rooms, inboxes, logs;
DROP SEQUENCE log_ids;
