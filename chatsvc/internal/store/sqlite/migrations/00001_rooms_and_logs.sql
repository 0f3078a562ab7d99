-- +goose Up

-- The head of every log, and the source of log ids: a room's id is its log's id. Times are microseconds since 1970.
CREATE TABLE logs (
    log_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    head_seq     INTEGER NOT NULL DEFAULT 0,
    member_count INTEGER NOT NULL DEFAULT 0,
    changed_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE inboxes (
    user_id TEXT PRIMARY KEY,
    log_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
    room_id    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    listing_id TEXT NOT NULL,
    direct     INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- One direct room for a pair of users (in order) and a listing.
CREATE TABLE direct_rooms (
    first_user  TEXT NOT NULL,
    second_user TEXT NOT NULL,
    listing_id  TEXT NOT NULL,
    room_id     INTEGER NOT NULL,
    PRIMARY KEY (first_user, second_user, listing_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    room_id   INTEGER NOT NULL,
    user_id   TEXT NOT NULL,
    role      INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    read_seq  INTEGER NOT NULL,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_of_user ON members (user_id, room_id);

-- The logs themselves. sender_id is the user the event is about; empty for notifications, which come from the
-- service. type of a MEMBER event is the change.
CREATE TABLE events (
    log_id            INTEGER NOT NULL,
    seq               INTEGER NOT NULL,
    kind              TEXT NOT NULL,
    sender_id         TEXT NOT NULL,
    client_message_id TEXT,
    type              TEXT NOT NULL,
    title             TEXT,
    content           TEXT NOT NULL,
    attachment        TEXT,
    at                INTEGER NOT NULL,
    PRIMARY KEY (log_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_once ON events (log_id, sender_id, client_message_id) WHERE client_message_id IS NOT NULL;

-- +goose Down
DROP TABLE events;
DROP TABLE members;
DROP TABLE direct_rooms;
DROP TABLE rooms;
DROP TABLE inboxes;
DROP TABLE logs;
