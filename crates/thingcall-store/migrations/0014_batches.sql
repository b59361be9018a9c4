-- Batches of devices that are registered together, under the id that their caller asks with.
CREATE TABLE batches (
    id         BIGINT NOT NULL PRIMARY KEY,
    product    TEXT   NOT NULL REFERENCES products (key) ON DELETE CASCADE,
    state      TEXT   NOT NULL, -- 'checked', 'refused', 'created', 'failed'
    devices    BIGINT NOT NULL, -- how many it has
    created    BIGINT NOT NULL, -- and how many of them were registered
    created_at BIGINT NOT NULL
);
CREATE INDEX batches_of_product ON batches (product);
CREATE TABLE batch_devices (
    batch    BIGINT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    place    BIGINT NOT NULL,
    name     TEXT   NOT NULL,
    nickname TEXT,
    problem  TEXT,              -- why it cannot be registered, or was not
    PRIMARY KEY (batch, place)
);
-- What people say of a device, in pairs. Goes with the device.
CREATE TABLE device_tags (
    product TEXT NOT NULL,
    device  TEXT NOT NULL,
    tag     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (product, device, tag),
    FOREIGN KEY (product, device) REFERENCES devices (product, name) ON DELETE CASCADE
) WITHOUT ROWID;
