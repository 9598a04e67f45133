"""Where records come from: what a URI, path or profile names."""
