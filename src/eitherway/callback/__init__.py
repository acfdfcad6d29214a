"""Callbacks, as far as they are rules: which URLs, which addresses, which secrets."""
