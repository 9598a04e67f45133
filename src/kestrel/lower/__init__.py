"""Tree to graph."""

from kestrel.lower.actions import Action, Analyse, Define, Describe, Draw, Explain, Inform, Notice, Save, Show, Survey
from kestrel.lower.lowering import Lowering, lower

__all__ = ["Action", "Analyse", "Define", "Describe", "Draw", "Explain", "Inform", "Lowering", "Notice", "Save", "Show", "Survey", "lower"]
