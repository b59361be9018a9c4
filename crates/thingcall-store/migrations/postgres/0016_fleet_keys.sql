-- The access key that ordered a fleet call, and why it ended before its time; and its devices whose calls are under way.
ALTER TABLE fleet_calls ADD COLUMN key TEXT;
ALTER TABLE fleet_calls ADD COLUMN reason TEXT;
CREATE INDEX fleet_devices_under_way ON fleet_devices (fleet_call, number) WHERE begun_at IS NOT NULL AND ended_at IS NULL;
