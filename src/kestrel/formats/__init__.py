"""Log formats: how each is recognised and what its fields mean."""
