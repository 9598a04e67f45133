"""Raw records to a dataset with resolved entities, in DuckDB."""
