-- Devices are looked up one by one and never all read: what few of them have is found without the others.
CREATE INDEX devices_online ON devices (product, name) WHERE online;
CREATE INDEX devices_transport ON devices (transport, product, name) WHERE transport IS NOT NULL;
