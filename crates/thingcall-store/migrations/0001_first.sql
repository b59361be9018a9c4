-- The first schema. Portable SQL; times are milliseconds since 1970 in UTC.

CREATE TABLE products (
    key        TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    settings   TEXT   NOT NULL, -- JSON
    created_at BIGINT NOT NULL
);

-- The texts of a product's thing model as they were given: position 0 is the main one, the rest are modules.
CREATE TABLE models (
    product  TEXT    NOT NULL REFERENCES products (key) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    PRIMARY KEY (product, position)
);

CREATE TABLE devices (
    product      TEXT    NOT NULL REFERENCES products (key),
    name         TEXT    NOT NULL,
    iot_id       TEXT    NOT NULL UNIQUE,
    secret       TEXT    NOT NULL, -- readable: it is the key of an HMAC
    enabled      BOOLEAN NOT NULL,
    nickname     TEXT,
    created_at   BIGINT  NOT NULL,
    activated_at BIGINT,
    online       BOOLEAN NOT NULL DEFAULT FALSE,
    last_seen_at BIGINT,
    address      TEXT,
    PRIMARY KEY (product, name)
);

CREATE TABLE access_keys (
    id             TEXT    NOT NULL PRIMARY KEY,
    secret         TEXT    NOT NULL, -- readable: it is the key of an HMAC
    account        TEXT    NOT NULL,
    enabled        BOOLEAN NOT NULL,
    security_token TEXT,
    result         TEXT,             -- 'envelope', 'data', or NULL for the server's
    created_at     BIGINT  NOT NULL
);

-- Asynchronous calls. They outlive their devices, hence no reference.
CREATE TABLE calls (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were accepted
    call_id     BIGINT  NOT NULL,
    request_id  TEXT    NOT NULL,
    product     TEXT    NOT NULL,
    device      TEXT    NOT NULL,
    iot_id      TEXT    NOT NULL,
    module      TEXT,
    service     TEXT    NOT NULL,
    params      TEXT    NOT NULL,
    qos         INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- 0 queued, 1 sent, 2 acked, 3 ended; only ever grows
    outcome     TEXT,
    transport   TEXT,
    code        BIGINT,
    message     TEXT,
    data        TEXT,
    accepted_at BIGINT  NOT NULL,
    sent_at     BIGINT,
    acked_at    BIGINT,
    ended_at    BIGINT
);
CREATE INDEX calls_by_id ON calls (call_id);
CREATE UNIQUE INDEX calls_open ON calls (product, device, call_id) WHERE state < 3;
CREATE INDEX calls_waiting ON calls (product, device, seq) WHERE qos = 1 AND state < 2;

-- What was changed, so that every process that has the store open can take it over.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL, -- 'product', 'device', 'key'
    subject TEXT NOT NULL, -- product key, or access key id
    name    TEXT           -- device name
);
