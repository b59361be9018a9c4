-- Who changed what, and what was refused.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were written
    at      BIGINT NOT NULL,
    door    TEXT   NOT NULL, -- console, api, command
    key_id  TEXT   NOT NULL, -- '' where nobody is known
    action  TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    outcome TEXT   NOT NULL, -- done, or a code
    address TEXT   NOT NULL  -- '' where there is none
);
CREATE INDEX audit_of_strangers ON audit (seq) WHERE key_id = '' AND door <> 'command';
