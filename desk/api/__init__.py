"""The interface for helpdesks: tickets in, results out, decisions taken elsewhere; each call under a key with scopes."""
