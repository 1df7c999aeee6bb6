"""The escalation packet: its form, its plain JSON, its lint, and how a person reads it."""
