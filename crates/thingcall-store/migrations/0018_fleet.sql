-- One call of each of many devices, made by the server itself; who makes its calls, and until when nobody else does.
CREATE TABLE fleet_calls (
    id               TEXT   NOT NULL PRIMARY KEY,
    account          TEXT   NOT NULL,
    product          TEXT   NOT NULL,
    service          TEXT   NOT NULL,
    args             TEXT   NOT NULL,
    qos              BIGINT NOT NULL,
    calls_per_second BIGINT NOT NULL,
    in_flight        BIGINT NOT NULL,
    state            TEXT   NOT NULL, -- RUNNING, CANCELLED or ENDED
    created_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    runner           TEXT,
    runner_until     BIGINT
) WITHOUT ROWID;
CREATE INDEX fleet_calls_of_account ON fleet_calls (account, created_at);
-- Its devices. `outcome` is SUCCEEDED, FAILED or UNKNOWN.
CREATE TABLE fleet_devices (
    fleet_call TEXT   NOT NULL REFERENCES fleet_calls (id) ON DELETE CASCADE,
    number     BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    begun_at   BIGINT,
    ended_at   BIGINT,
    outcome    TEXT,
    code       TEXT,
    message    TEXT,
    message_id TEXT,
    result     TEXT,
    PRIMARY KEY (fleet_call, number)
) WITHOUT ROWID;
CREATE INDEX fleet_devices_by_outcome ON fleet_devices (fleet_call, outcome, number);
CREATE INDEX fleet_devices_to_begin ON fleet_devices (fleet_call, number) WHERE begun_at IS NULL;
