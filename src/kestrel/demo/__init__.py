"""Sample data: a simulated network of four hosts, its log records, and what is true of it."""
