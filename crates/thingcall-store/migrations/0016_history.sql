-- What devices reported in the past: JSON, as the device wrote it, and when it was so. Goes with the device.
CREATE TABLE history (
    product TEXT   NOT NULL,
    device  TEXT   NOT NULL,
    kind    BIGINT NOT NULL, -- 0 a property, 1 an event
    name    TEXT   NOT NULL, -- 'identifier' or 'module:identifier'
    at      BIGINT NOT NULL,
    value   TEXT   NOT NULL,
    PRIMARY KEY (product, device, kind, name, at),
    FOREIGN KEY (product, device) REFERENCES devices (product, name) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX history_by_time ON history (product, at);
