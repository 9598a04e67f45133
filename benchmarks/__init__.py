"""Timings of the runtime against hand-written yardsticks."""
