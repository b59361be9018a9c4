-- What is said of a product and changes no call: JSON. A product without a row says nothing.
CREATE TABLE product_notes (
    product TEXT NOT NULL PRIMARY KEY REFERENCES products (key) ON DELETE CASCADE,
    notes   TEXT NOT NULL
);
-- A product's devices from the newest on, page by page.
CREATE INDEX devices_by_age ON devices (product, created_at, name);
