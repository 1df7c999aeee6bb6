"""The exam: recorded tickets, the lane each should get, and what may never be said."""
