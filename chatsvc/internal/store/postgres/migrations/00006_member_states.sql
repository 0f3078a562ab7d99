-- +goose Up

-- Of a member: until when she may not write; 9999-12-31 is for ever. And the stretches of the log that were written while
-- she was out, between two memberships, as "9-49,60-60": they are not for her.
ALTER TABLE members ADD COLUMN muted_until timestamptz, ADD COLUMN hidden text NOT NULL DEFAULT '';

-- Who is not in a room, and was, or is banned. left_seq: the event that ended the membership; 0: there was none.
CREATE TABLE former_members (
    room_id      bigint,
    user_id      text COLLATE "C",
    left_seq     bigint NOT NULL,
    hidden       text NOT NULL,
    banned_until timestamptz,
    PRIMARY KEY (room_id, user_id)
);

-- Who left before this was kept.
INSERT INTO former_members (room_id, user_id, left_seq, hidden)
SELECT e.log_id, e.sender_id, max(e.seq), '' FROM events e
WHERE e.kind = 'MEMBER' AND e.type IN ('left', 'removed')
    AND NOT EXISTS (SELECT FROM members m WHERE m.room_id = e.log_id AND m.user_id = e.sender_id)
GROUP BY e.log_id, e.sender_id;

-- +goose Down
DROP TABLE former_members;
ALTER TABLE members DROP COLUMN muted_until, DROP COLUMN hidden;
