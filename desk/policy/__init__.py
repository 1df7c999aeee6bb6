"""A policy release at the desk: its files, its way into force and back, roll-out by family, back-tests."""
