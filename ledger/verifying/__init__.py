"""Whether the record is whole, and what a person can do about it where it is not."""
