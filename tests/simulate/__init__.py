"""The simulator: it is deterministic, nasty, and knows the truth."""
