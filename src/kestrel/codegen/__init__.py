"""Names of Kestrel 1.x that its analytics import; nothing else in Kestrel does."""
