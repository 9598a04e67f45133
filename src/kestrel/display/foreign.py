"""HTML that an analytic made, with only what shows something: no script, no link, no form, nothing fetched."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree.ElementTree import Element

from kestrel.display.markup import append, element

KEPT = frozenset(
    "a b blockquote br caption code col colgroup dd details div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s samp section small span "
    "strong sub summary sup table tbody td tfoot th thead tr u ul var".split()
)
DROPPED = frozenset("script style svg math template head title object embed iframe noscript textarea select button".split())
"""What stands in these is left out with them; of other unknown tags only the tags are."""
ATTRIBUTES = frozenset(("colspan", "rowspan", "title", "align", "open", "dir", "lang"))
EMPTY = frozenset(("br", "hr", "col"))


def cleaned(markup: str) -> Element:
    """The harmless part of a text of HTML."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return reader.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = element("div")
        self.open = [self.root]
        self.dropped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in DROPPED:
            self.dropped.append(tag)
        if self.dropped or tag not in KEPT:
            return
        made = element("span" if tag == "a" else tag, **{n: v or "" for n, v in attrs if n in ATTRIBUTES})
        append(self.open[-1], made)
        if tag not in EMPTY:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if self.dropped:
            if tag == self.dropped[-1]:
                self.dropped.pop()
            return
        wanted = "span" if tag == "a" else tag
        for place in range(len(self.open) - 1, 0, -1):
            if self.open[place].tag == wanted:
                del self.open[place:]
                return

    def handle_data(self, data: str) -> None:
        if not self.dropped:
            append(self.open[-1], data)
