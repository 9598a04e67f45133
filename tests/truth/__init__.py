"""Truths: what plain Python computes from the raw logs, to hold the runtime against."""
