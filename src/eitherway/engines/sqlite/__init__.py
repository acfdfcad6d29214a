"""The embedded engine: records, messages, items and events in one SQLite file."""
