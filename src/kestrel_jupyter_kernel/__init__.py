"""The name under which Jupyter starts Kestrel; what it does is in `kestrel.kernel`."""
