"""Speed of the decision, the executor, the text checks and the effect, in turns with others' products: `make bench`."""
