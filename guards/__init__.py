"""The law: which lane a ticket belongs in, and what may be done there. Pure: no I/O, no model, no framework."""
