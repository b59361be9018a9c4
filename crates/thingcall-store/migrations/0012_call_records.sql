-- Calls that are not in the journal: synchronous ones, and requests that were refused. What is looked for stands in columns, the
-- rest in `body`. The one row of `call_records_size` counts their bytes.
CREATE TABLE call_records (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were written
    call_id     BIGINT,
    request_id  TEXT   NOT NULL,
    product     TEXT   NOT NULL, -- '' where `device` is an IotId, or nothing is known
    device      TEXT   NOT NULL,
    service     TEXT   NOT NULL, -- 'identifier' or 'module:identifier'
    key_id      TEXT,
    outcome     TEXT   NOT NULL,
    accepted_at BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    body        TEXT   NOT NULL  -- JSON
);
CREATE INDEX call_records_by_id ON call_records (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX call_records_of_device ON call_records (product, device, accepted_at);
CREATE TABLE call_records_size (bytes BIGINT NOT NULL);
INSERT INTO call_records_size VALUES (0);
-- Who signed an asynchronous call, and the calls of a device in the order of their times.
ALTER TABLE calls ADD COLUMN key_id TEXT;
CREATE INDEX calls_of_device ON calls (product, device, accepted_at);
