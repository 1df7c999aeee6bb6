"""The commands, a file a subject; each imports what it needs only when it is called."""
