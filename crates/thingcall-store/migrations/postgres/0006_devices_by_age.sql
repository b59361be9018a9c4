-- A product's devices from the newest on, page by page. What an earlier try left is made anew.
DROP INDEX CONCURRENTLY IF EXISTS devices_by_age;
CREATE INDEX CONCURRENTLY devices_by_age ON devices (product, created_at, name);
