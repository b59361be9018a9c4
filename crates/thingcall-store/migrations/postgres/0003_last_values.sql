-- The last value of each property of each device: JSON, as the device wrote it, and when it was so, by the device or by whoever
-- heard it. Goes with the device.
CREATE TABLE last_values (
    product  TEXT COLLATE "C" NOT NULL,
    device   TEXT COLLATE "C" NOT NULL,
    property TEXT COLLATE "C" NOT NULL, -- 'identifier' or 'module:identifier'
    value    TEXT             NOT NULL,
    at       BIGINT           NOT NULL,
    PRIMARY KEY (product, device, property),
    FOREIGN KEY (product, device) REFERENCES devices (product, name) ON DELETE CASCADE
) WITH (fillfactor = 80);
