"""A hunt as data: frozen steps whose identity is their content."""
