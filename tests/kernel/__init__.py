"""Kestrel in Jupyter: the kernel, its outputs, huntbooks and the browser."""
