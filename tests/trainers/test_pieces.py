"""Pieces as a text: each set has one, and no other text is taken."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.coding import plaindata
from trainers.pieces import check_tokens, packed, unpacked

PIECES = st.sets(st.binary(min_size=2, max_size=32) | st.lists(st.sampled_from(b"\0ab\xff"), min_size=2).map(bytes))


@given(PIECES.map(lambda found: {piece[:32] for piece in found}))
@settings(deadline=None)
def test_a_text_says_which_pieces_there_are(pieces: set[bytes]) -> None:
    text = packed(pieces)
    assert unpacked(text) == sorted(pieces)
    assert plaindata.decode(plaindata.encode({"pieces": text})) == {"pieces": text}, "a header holds any of them"
    check_tokens(256 + len(pieces), characters="", pieces=text)


@given(st.text(st.characters(max_codepoint=0x130), max_size=12))
@settings(deadline=None)
def test_another_text_is_refused_or_the_only_one_of_its_pieces(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert packed(unpacked(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "ab",  # what it begins with is missing
        "\0abx\1",
        "\1ab",  # more than there is of the one before
        "\0ab\0ab",
        "\0b!\0a!",  # not in order
        "\0abc\0abd",  # begins as the one before
        "\0a",  # one byte
        "\0" + "a" * 33,
        "\0ab\x02" + "c" * 31,
        "\0a\u0120",
        "".join(f"\0{chr(32 + a)}{chr(32 + b)}" for a in range(200) for b in range(200)) * 5,  # 200,000 of them
        7,
    ],
)
def test_a_damaged_text_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^pieces are .*: wanted a") as caught:
        unpacked(text)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_what_a_network_is_told_of_its_tokens_fits_their_number() -> None:
    text = packed([b"ab", b"abc", b"\xe2\x82\xac"])
    check_tokens(259, characters="", pieces=text)
    check_tokens(3, characters="abc", pieces="")
    with pytest.raises(ValueError, match=r"^with its pieces a network has 259 tokens, and was told of 260: wanted as"):
        check_tokens(260, characters="", pieces=text)
    with pytest.raises(ValueError, match=r"^characters are 'abcd': wanted one for each of 3 tokens, or none$"):
        check_tokens(3, characters="abcd", pieces="")
    with pytest.raises(ValueError, match=r"^characters are 'abc' and pieces '.*': wanted one of them$"):
        check_tokens(3, characters="abc", pieces=text)
