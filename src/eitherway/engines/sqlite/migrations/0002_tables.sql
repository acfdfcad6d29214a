-- Items get a partition, empty in tables that have none. Those that are there are apart from what
-- deleted ones left, so that walking along the keys does not meet the dead.
ALTER TABLE item RENAME TO item_before;

CREATE TABLE item (
    tbl TEXT NOT NULL,
    part TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (tbl, part, key)
) WITHOUT ROWID;

-- The version of a deleted item stays, so that none of its versions ever comes back.
CREATE TABLE deleted_item (
    tbl TEXT NOT NULL,
    part TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tbl, part, key)
) WITHOUT ROWID;

INSERT INTO item SELECT tbl, '', key, version, value FROM item_before WHERE value IS NOT NULL;
INSERT INTO deleted_item SELECT tbl, '', key, version FROM item_before WHERE value IS NULL;
DROP TABLE item_before;

-- Token buckets: how full each was at a time.
CREATE TABLE bucket (
    name TEXT NOT NULL PRIMARY KEY,
    tokens REAL NOT NULL,
    filled REAL NOT NULL
) WITHOUT ROWID;
