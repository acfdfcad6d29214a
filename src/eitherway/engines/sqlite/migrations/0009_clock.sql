-- How far the machine's clock is ahead of its monotonic one, since which start of the machine.

CREATE TABLE clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    ahead REAL NOT NULL
);
