"""The words: what is said to the model, how much of it, and what is never said to it."""
