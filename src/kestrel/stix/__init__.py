"""STIX 2 bundles in and out."""
