"""Text is escaped wherever it is put."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from analysis.report.markup import Html, bullets, element, joined, table


class Reader(HTMLParser):
    """Tags and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


@given(st.text(st.sampled_from("<>&\"'/=a -!"), max_size=20))
def test_any_text_is_read_as_it_was_given(text: str) -> None:
    reader = read(element("p", text, title=text))
    assert reader.tags == ["p"]
    assert reader.attributes == [{"title": text}]
    assert reader.text == text
    assert read(table(["a"], [[text]])).tags == ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert read(bullets([text])).text == text


def test_markup_is_escaped_once() -> None:
    assert element("p", element("b", "<")) == "<p><b>&lt;</b></p>"
    assert joined([Html("<i>"), "<"], " & ") == "<i> &amp; &lt;"


def test_numbers_are_aligned_in_heading_and_body() -> None:
    assert table(["a", "b"], [["1", "2"]], numbers=(1,)).count('class="number"') == 2
