-- Results that wait to be published: `due` is set where a call ends while the one row of `publishing` says so. That row is
-- here since any process may end a call: one that removes a device does.
CREATE TABLE publishing (wanted INTEGER NOT NULL);
INSERT INTO publishing VALUES (0);
ALTER TABLE calls ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
CREATE INDEX calls_due ON calls (ended_at, seq) WHERE due = 1;
