"""The notices of the huntbooks: there are few besides the answers."""

from __future__ import annotations

import json
from pathlib import Path

BOOKS = sorted((Path(__file__).parents[1] / "huntbooks").glob("*.ipynb"))
DUPLICATES = ["note[duplicates]: 212 of 20,307 records are duplicates; each is counted once"]
"""The sample data has 20,307 lines, 20,095 of them different: one notice for each session that reads them."""


def test_a_huntbook_has_one_notice() -> None:
    assert len(BOOKS) == 7
    for book in BOOKS:
        outputs = [o for cell in json.loads(book.read_text(encoding="utf-8"))["cells"] for o in cell.get("outputs", ())]
        texts = "\n".join("".join(o["data"].get("text/plain", "")) for o in outputs if "data" in o)
        assert [line for line in texts.splitlines() if line.startswith("note[")] == DUPLICATES, book.name
