"""How many examples Hypothesis makes: few in `make test`, many in `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import settings

MANY = os.environ.get("KESTREL_FUZZ") == "1"


def examples(many: int) -> settings:
    """The settings of a property test: so many examples, or an eighth of them."""
    return settings(max_examples=many if MANY else max(6, many // 8), deadline=None)
