"""The made-up history: a year of customers and agents driven through the real machine, and said to be made up."""
