"""The counter, both sides of it: what customers write to and get, what operators see and decide, the post that leaves."""
