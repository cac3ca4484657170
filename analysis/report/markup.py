"""Pieces of a page. Text that is not ``Html`` is escaped: names come from users."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence


class Html(str):
    """Markup that is put on the page as it is."""

    __slots__ = ()


def escaped(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(text))


def joined(parts: Iterable[str], between: str = "") -> Html:
    """``parts`` one after the other, as markup."""
    return Html(escaped(between).join(map(escaped, parts)))


def element(tag: str, *content: str, **attributes: str) -> Html:
    """``<tag ...>content</tag>``; ``class_`` is written ``class``, ``aria_label`` ``aria-label``.

    Example:
        >>> element("p", "a < b, ", element("b", "c"), class_="note")
        '<p class="note">a &lt; b, <b>c</b></p>'
    """
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    opening = "".join(f' {name}="{html.escape(value)}"' for name, value in named)
    return Html(f"<{tag}{opening}>{joined(content)}</{tag}>")


def section(anchor: str, title: str, *content: str) -> Html:
    """A part of the page that the list of contents links to."""
    return element("section", element("h2", title), *content, id=anchor)


def paragraph(*content: str) -> Html:
    return element("p", *content)


def note(*content: str) -> Html:
    """A note on how to read what stands above it."""
    return element("p", *content, class_="note")


def code(text: str) -> Html:
    return element("code", text)


def bullets(items: Iterable[str]) -> Html:
    return element("ul", *(element("li", item) for item in items))


def facts_list(facts: Mapping[str, str]) -> Html:
    """A list of names and facts; empty facts are left out."""
    pairs = [part for name, fact in facts.items() if fact for part in (element("dt", name), element("dd", fact))]
    return element("dl", *pairs, class_="facts")


def folded(summary: str, *content: str) -> Html:
    """Content that a click unfolds; on paper it is shown."""
    return element("details", element("summary", summary), *content)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()) -> Html:
    """A table.

    Args:
        headings: one for each column.
        rows: the cells of each row.
        numbers: the indexes of columns that are aligned to the right.
    """
    right = set(numbers)

    def line(tag: str, cells: Sequence[str]) -> Html:
        kinds = ({"class_": "number"} if index in right else {} for index in range(len(cells)))
        return element("tr", *(element(tag, cell, **kind) for cell, kind in zip(cells, kinds, strict=True)))

    body = element("tbody", *(line("td", row) for row in rows))
    whole = element("table", element("thead", line("th", headings)), body)
    return element("div", whole, class_="scroll")
