-- Tallystick, schema 3: tree heads that only a holder of a key can make.
--
-- `hmac` is the HMAC-SHA-256, in lower-case hexadecimal, by the key `key_id`, over the head (File format, "Tree
-- heads"); both are NULL where no key was given.

ALTER TABLE tree_heads ADD COLUMN key_id TEXT;
ALTER TABLE tree_heads ADD COLUMN hmac TEXT;
