"""Records, entities and the evaluation of steps, in DuckDB."""
