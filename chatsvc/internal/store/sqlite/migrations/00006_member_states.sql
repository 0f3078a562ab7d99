-- +goose Up

-- Of a member: until when she may not write; the end of 9999 is for ever. And the stretches of the log that were written
-- while she was out, between two memberships, as "9-49,60-60": they are not for her.
ALTER TABLE members ADD COLUMN muted_until INTEGER;
ALTER TABLE members ADD COLUMN hidden TEXT NOT NULL DEFAULT '';

-- Who is not in a room, and was, or is banned. left_seq: the event that ended the membership; 0: there was none.
CREATE TABLE former_members (
    room_id      INTEGER NOT NULL,
    user_id      TEXT NOT NULL,
    left_seq     INTEGER NOT NULL,
    hidden       TEXT NOT NULL,
    banned_until INTEGER,
    PRIMARY KEY (room_id, user_id)
) STRICT, WITHOUT ROWID;

-- Who left before this was kept.
INSERT INTO former_members (room_id, user_id, left_seq, hidden)
SELECT e.log_id, e.sender_id, max(e.seq), '' FROM events e
WHERE e.kind = 'MEMBER' AND e.type IN ('left', 'removed')
    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.room_id = e.log_id AND m.user_id = e.sender_id)
GROUP BY e.log_id, e.sender_id;

-- +goose Down
DROP TABLE former_members;
ALTER TABLE members DROP COLUMN hidden;
ALTER TABLE members DROP COLUMN muted_until;
