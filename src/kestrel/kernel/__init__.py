"""Kestrel in Jupyter: the kernel, its installation, the magic of Python notebooks, and huntbooks without a browser."""
