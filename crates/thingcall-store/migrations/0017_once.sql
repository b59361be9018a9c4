-- Calls that are made once: an account's token, a hash of what was asked for with it, and the request that claimed it.
CREATE TABLE once (
    account    TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    digest     BLOB    NOT NULL,
    request_id TEXT    NOT NULL,
    holder     TEXT    NOT NULL,    -- the process that makes the call
    slot       INTEGER,             -- its lease; NULL in a store that it has alone
    generation INTEGER,
    answer     BLOB,                -- NULL until the call has ended
    ends_at    INTEGER NOT NULL,    -- when it is forgotten, in milliseconds
    PRIMARY KEY (account, token)
);
CREATE INDEX once_ends ON once (ends_at);
