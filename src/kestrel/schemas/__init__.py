"""Log shapes: how each kind of log is recognised and what its fields say."""
