"""What the record says for or against a change of policy: counts, gates, back-tests, suggestions."""
