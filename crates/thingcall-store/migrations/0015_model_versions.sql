-- The latest models of each product, the one that is in force among them, and the texts of each as JSON.
CREATE TABLE model_versions (
    product     TEXT   NOT NULL REFERENCES products (key) ON DELETE CASCADE,
    at          BIGINT NOT NULL, -- when it was set
    number      TEXT   NOT NULL, -- what it is called: when it was set, or as it was published
    description TEXT,
    texts       TEXT   NOT NULL,
    PRIMARY KEY (product, at)
);
INSERT INTO model_versions (product, at, number, texts)
SELECT key, created_at, CAST(created_at AS TEXT),
    (SELECT json_group_array(text) FROM (SELECT text FROM models WHERE product = products.key ORDER BY position))
FROM products WHERE EXISTS (SELECT 1 FROM models WHERE product = products.key);
