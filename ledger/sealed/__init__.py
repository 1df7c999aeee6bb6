"""The tamper-evident record as it is written: seals, the chain, its keys and its anchor."""
