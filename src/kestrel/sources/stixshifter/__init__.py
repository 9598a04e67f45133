"""Every STIX-shifter connector: installed in an environment of its own, run in a process of its own."""
