-- One call of each of many devices, made by the server itself; who makes its calls, and until when nobody else does.
CREATE TABLE fleet_calls (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account          TEXT COLLATE "C" NOT NULL,
    product          TEXT COLLATE "C" NOT NULL,
    service          TEXT COLLATE "C" NOT NULL,
    args             TEXT COLLATE "C" NOT NULL,
    qos              BIGINT NOT NULL,
    calls_per_second BIGINT NOT NULL,
    in_flight        BIGINT NOT NULL,
    state            TEXT COLLATE "C" NOT NULL, -- RUNNING, CANCELLED or ENDED
    created_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    runner           TEXT,
    runner_until     BIGINT
);
CREATE INDEX fleet_calls_of_account ON fleet_calls (account, created_at);
-- Its devices. `outcome` is SUCCEEDED, FAILED or UNKNOWN.
CREATE TABLE fleet_devices (
    fleet_call TEXT COLLATE "C" NOT NULL REFERENCES fleet_calls (id) ON DELETE CASCADE,
    number     BIGINT NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    begun_at   BIGINT,
    ended_at   BIGINT,
    outcome    TEXT,
    code       TEXT,
    message    TEXT,
    message_id TEXT,
    result     TEXT,
    PRIMARY KEY (fleet_call, number)
);
CREATE INDEX fleet_devices_by_outcome ON fleet_devices (fleet_call, outcome, number);
CREATE INDEX fleet_devices_to_begin ON fleet_devices (fleet_call, number) WHERE begun_at IS NULL;
