"""STIX-shifter's connectors, real ones, in processes of their own."""
