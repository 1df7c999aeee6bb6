"""Audits of tickets that no person saw, and the review calendar, at the desk and on a terminal."""
