-- What happens at devices and to calls, for applications, in the order of the commits. The one row of `message_log` counts the
-- messages there ever were, and the bytes of those there are, and says since when there may be any.
CREATE TABLE message_log (last BIGINT NOT NULL, bytes BIGINT NOT NULL, since BIGINT NOT NULL);
INSERT INTO message_log VALUES (0, 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000);
CREATE TABLE messages (
    seq     INTEGER PRIMARY KEY,
    id      BIGINT NOT NULL,
    kind    TEXT   NOT NULL, -- 'result', 'status', ...
    product TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    topic   TEXT   NOT NULL,
    body    BLOB   NOT NULL
);
-- Who reads them. What stands up to `position` was handed out to somebody in the reader's name.
CREATE TABLE readers (
    name     TEXT   NOT NULL PRIMARY KEY,
    wishes   TEXT   NOT NULL, -- JSON: what it wants, and since which place
    position BIGINT NOT NULL,
    lost     BIGINT NOT NULL DEFAULT 0
);
-- What was handed out and is not wholly settled yet: which of it is, its holder remembers.
CREATE TABLE claims (
    reader     TEXT   NOT NULL,
    first      BIGINT NOT NULL,
    last       BIGINT NOT NULL,
    messages   BIGINT NOT NULL, -- how many were handed out
    slot       BIGINT NOT NULL, -- the holder's lease
    generation BIGINT NOT NULL,
    PRIMARY KEY (reader, first)
);
-- What came back: to be handed out again once it is due, or never (dead).
CREATE TABLE backlog (
    reader     TEXT    NOT NULL,
    seq        BIGINT  NOT NULL,
    tries      BIGINT  NOT NULL,
    due_at     BIGINT  NOT NULL,
    dead       BOOLEAN NOT NULL,
    why        TEXT    NOT NULL,
    slot       BIGINT,           -- the lease of whoever has it in hand
    generation BIGINT,
    PRIMARY KEY (reader, seq)
);
CREATE INDEX backlog_due ON backlog (reader, due_at, seq) WHERE NOT dead AND slot IS NULL;
CREATE INDEX backlog_by_place ON backlog (seq);
-- Who shares messages, and which of a product's go to whom. The default group has no row.
CREATE TABLE consumer_groups (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE subscriptions (
    product TEXT NOT NULL PRIMARY KEY REFERENCES products (key),
    topics  TEXT NOT NULL, -- 'device_data', 'device_status', ..., parted by commas
    members TEXT NOT NULL  -- ids of groups, parted by commas
);
