"""The evaluation of steps over datasets, in DuckDB."""
