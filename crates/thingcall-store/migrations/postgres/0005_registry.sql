-- What is said of a product and changes no call: JSON. A product without a row says nothing.
CREATE TABLE product_notes (
    product TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES products (key) ON DELETE CASCADE,
    notes   TEXT             NOT NULL
);
