"""HTML that an analytic made, with only what shows something: no script, no link, no form, nothing fetched.

nh3 decides what remains; the rest of this module turns that into the elements of a page.
"""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree.ElementTree import Element

from kestrel.display.markup import append, element

KEPT = frozenset(
    "b blockquote br caption code col colgroup dd details div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li mark ol p pre s samp section small span "
    "strong sub summary sup table tbody td tfoot th thead tr u ul var".split()
)
DROPPED = frozenset("script style svg math template head title object embed iframe noscript textarea select button".split())
"""What these contain is left out with them; of other unknown tags only the tags are."""
ATTRIBUTES = frozenset(("colspan", "rowspan", "title", "align", "open", "dir", "lang"))
EMPTY = frozenset(("br", "hr", "col"))


def cleaned(markup: str) -> Element:
    """The harmless part of a text of HTML."""
    import nh3

    allowed = nh3.clean(markup, set(KEPT), set(DROPPED), {"*": set(ATTRIBUTES)}, link_rel=None)
    reader = _Reader()
    reader.feed(allowed)
    reader.close()
    return reader.root


class _Reader(HTMLParser):
    """Reads HTML in which every element is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = element("div")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = element(tag, **{n: v or "" for n, v in attrs})
        append(self.open[-1], made)
        if tag not in EMPTY:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        append(self.open[-1], data)
