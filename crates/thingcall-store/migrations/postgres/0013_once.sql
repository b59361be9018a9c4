-- Calls that are made once: an account's token, a hash of what was asked for with it, and the request that claimed it.
CREATE TABLE once (
    account    TEXT    NOT NULL,
    token      TEXT    NOT NULL,
    digest     BYTEA   NOT NULL,
    request_id TEXT    NOT NULL,
    holder     TEXT    NOT NULL,    -- the process that makes the call
    slot       BIGINT,             -- its lease; NULL in a store that it has alone
    generation BIGINT,
    answer     BYTEA,                -- NULL until the call has ended
    ends_at    BIGINT  NOT NULL,    -- when it is forgotten, in milliseconds
    PRIMARY KEY (account, token)
);
CREATE INDEX once_ends ON once (ends_at);
