"""From STIX patterns, and to STIX."""
