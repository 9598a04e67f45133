"""Generated hunts over generated records: whatever is written gives results or located mistakes, never another failure.

`python -m tests.fuzz N [SEED]` runs N of them with every core.
"""
