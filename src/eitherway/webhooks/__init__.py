"""Callbacks, delivered: two operations of eitherway's own (needs the extra `[webhooks]`)."""
