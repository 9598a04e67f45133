"""Why an answer from a server is empty: there is nothing, nothing in the time range, or nothing in a known log format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from kestrel.engine.remote import Remote
from kestrel.engine.variable import Variable
from kestrel.errors import KestrelError
from kestrel.formats.format import log_formats
from kestrel.graph.steps import Source, TimeRange
from kestrel.pushdown.request import Recognition
from kestrel.result import Notice
from kestrel.text import listed


class NothingRecognised(KestrelError):
    code: ClassVar[str] = "K0430"
    part = "source"

    def __init__(self, uri: str, recognition: Recognition, ranged: bool) -> None:
        known = listed(sorted(f.name for f in log_formats().values() if not f.of_bundles), 40)
        super().__init__(
            f"{_unrecognised(uri, recognition, ranged)}, so nothing can be found",
            None,
            "; ".join([*likeness(recognition), f"known log formats: {known}"]),
        )


def likeness(found: Recognition) -> list[str]:
    """What a document in an unknown log format looks like, and the closest known format."""
    return [
        *([f"the closest log format is `{found.closest}`"] if found.closest else []),
        *([f"one of them has the top-level fields {', '.join(found.fields)}"] if found.fields else []),
    ]


def reasons(remote: Remote, variable: Variable, is_empty: bool) -> Iterator[Notice]:
    """For a GET or FIND on servers: notices of what is there, if it found nothing although its input is not empty. Raises NothingRecognised
    if there are documents, but all in unknown log formats."""
    dataset = variable.dataset
    if not is_empty or dataset is None or not dataset.is_live:
        return
    sources = [s for s in dataset.sources if s.place]
    known = dataset.account.read > dataset.account.unknown
    if known and not dataset.account.unknown and not any(remote.is_on_demand(s, dataset.span) for s in sources):
        return
    found = [(s, r) for s in sources if (r := remote.recognition(replace(s, files=()), dataset.span))]
    if not known and (strange := [(s, r) for s, r in found if r.total]) and not any(r.formats for _, r in found):
        raise NothingRecognised(strange[0][0].uri, strange[0][1], dataset.span is not None)
    for source, recognition in found:
        if text := _reason(source, recognition, dataset.span):
            yield text


def _reason(source: Source, found: Recognition, span: TimeRange | None) -> Notice | None:
    if not found.everywhere:
        return Notice("no-documents", f"`{source.uri}` has no documents, or none that the API key or user may read")
    if not found.total and span is not None:
        ends = f"; its documents are from {found.first} to {found.last}" if found.first and found.last else ""
        return Notice("none-in-range", f"`{source.uri}` has no documents{_range(span)}{ends}")
    if found.unknown:
        more = "; ".join(likeness(found))
        return Notice(
            "unknown-records",
            f"{_unrecognised(source.uri, found, span is not None)}{f' ({more})' if more else ''}",
            found.unknown,
        )
    return None


def _unrecognised(uri: str, found: Recognition, ranged: bool) -> str:
    number, unknown = found.sampled or found.total, found.unknown
    sample = f"a sample of {number:,} of " if 0 < found.sampled < found.total else ""
    documents = f"documents of `{uri}`{' in the time range' if ranged else ''}"
    if number == 1:
        return f"the only {documents.replace('documents', 'document', 1)} is in an unknown log format"
    if unknown == number:
        return f"none of {sample}the {found.total:,} {documents} is in a known log format"
    return f"{unknown:,} of {sample}the {found.total:,} {documents} {'is' if unknown == 1 else 'are'} in an unknown log format"


def _range(span: TimeRange) -> str:
    since, until = (f" {word} {_time(end)}" if end else "" for word, end in (("from", span.since), ("to" if span.since else "before", span.until)))
    return since + until


def _time(time: object) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
