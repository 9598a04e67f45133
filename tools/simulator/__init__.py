"""The simulation that makes the sample data: hosts, what happens on them, what sensors log of it, and what a hunt must find."""
