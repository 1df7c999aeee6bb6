"""What is done in each lane: an answer of approved words, a draft for an agent, or a case made ready for its owner."""
