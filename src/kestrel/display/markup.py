"""HTML and SVG as trees: what stands in them is escaped when they are written, and nothing else makes markup."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from kestrel.display.values import visible


def element(tag: str, *children: Element | str | None, **attributes: object) -> Element:
    """An element. `class_` and `font_size` are written `class` and `font-size`; an attribute of None is left out."""
    named = {n.rstrip("_").replace("_", "-"): _text(str(v)) for n, v in attributes.items() if v is not None}
    made = Element(tag, named)
    for child in children:
        if child is not None:
            append(made, child)
    return made


def append(parent: Element, child: Element | str) -> None:
    """Put text or an element at the end of another."""
    if isinstance(child, Element):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + _text(child)
    else:
        parent.text = (parent.text or "") + _text(child)


def html_text(node: Element) -> str:
    """An element as HTML."""
    return ElementTree.tostring(node, encoding="unicode", method="html")


def svg_text(node: Element) -> str:
    """An element as a stand-alone SVG document."""
    return ElementTree.tostring(node, encoding="unicode", method="xml")


def _text(text: str) -> str:
    """Text of which every character may stand in a document; line ends stay."""
    return text if text.isprintable() else "\n".join(visible(line) for line in text.split("\n"))
