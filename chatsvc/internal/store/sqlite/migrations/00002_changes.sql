-- +goose Up

-- Which logs changed lately, and whose they are.
CREATE INDEX logs_changed ON logs (changed_at);
CREATE INDEX inboxes_of_log ON inboxes (log_id);

-- +goose Down
DROP INDEX logs_changed;
DROP INDEX inboxes_of_log;
