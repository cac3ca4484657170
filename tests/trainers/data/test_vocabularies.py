"""Tokens stand for all bytes of a text, whatever they are; pieces are learned alike everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.data import byte_pairs
from trainers.data.byte_pairs import learned, words
from trainers.data.vocabularies import Vocabulary, vocabulary_of
from trainers.pieces import packed, unpacked

STORY = (
    b"Now the hurlyburly's done, \r\n\tthe battle's lost and won; we'll meet the others there. \xe2\x82\xac 1603\n\n"
    * 9
)
PIECES = sorted(learned(STORY, 40))
TEXTS = st.lists(
    st.binary(max_size=3)
    | st.sampled_from([b" the", b"the", b"'s", b" \n", b"\n\n  ", b"\xe2\x82\xac", b"a1 ", b"we'll"]),
    max_size=30,
).map(b"".join)


def bytes_of(numbers: Any, pieces: list[bytes]) -> list[bytes]:
    return [bytes([number]) if number < 256 else pieces[number - 256] for number in numbers.tolist()]


@given(TEXTS, st.integers(1, 40))
@settings(deadline=None)
def test_any_bytes_are_cut_and_come_back_whatever_is_cut_at_once(content: bytes, at_once: int) -> None:
    whole = [*words(content)]
    assert b"".join(whole) == content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_pairs, "_AT_ONCE", at_once)
        assert [*words(content)] == whole
    vocabulary = Vocabulary(pieces=packed(PIECES))
    (numbers,) = vocabulary.numbers(content)
    tokens = bytes_of(numbers, PIECES)
    assert b"".join(tokens) == content
    assert vocabulary.sizes[numbers.astype(np.int64)].tolist() == [len(one) for one in tokens]


def test_a_token_is_the_longest_piece_of_a_word() -> None:
    pieces = sorted([b" th", b"he", b" the", b"her", b"er", b"s d"])
    (cut,) = Vocabulary(pieces=packed(pieces)).numbers(b"then there's done")
    assert bytes_of(cut, pieces) == [b"t", b"he", b"n", b" the", b"r", b"e", b"'", b"s", b" ", b"d", b"o", b"n", b"e"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"we'll see, 12 men!", [b"we", b"'ll", b" see", b",", b" 12", b" men", b"!"]),
        (b"a  b\n\n c \r\n", [b"a", b" ", b" b", b"\n\n", b" c", b" \r\n"]),
        ("ein Bär\u00a0\u0085süß 熊".encode(), [b"ein", " Bär\u00a0\u0085süß".encode(), " 熊".encode()]),
        (b"\0\x1b[0m", [b"\0\x1b[", b"0", b"m"]),
    ],
)
def test_words_follow_gpt_2(content: bytes, found: list[bytes]) -> None:
    assert [*words(content)] == found


def test_pieces_are_joined_of_frequent_neighbours() -> None:
    assert sorted(learned(b"abab abab ab", 2)) == [b" ab", b"ab"]
    assert {*learned(STORY, 20)} < {*learned(STORY, 40)}
    assert not learned(b"abc", 5), "a piece occurs twice at least"
    assert 16 <= max(map(len, learned(b"z" * 5000, 9))) <= 32


def test_every_process_and_number_of_threads_learns_the_same_pieces() -> None:
    code = (
        "import sys; from trainers.data.byte_pairs import learned; from trainers.pieces import packed; "
        "sys.stdout.buffer.write(packed(learned(sys.stdin.buffer.read(), 40)).encode())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=STORY,
            capture_output=True,
            check=True,
            env={**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"},
        ).stdout
        for threads in ("1", "3")
    }
    assert found == {packed(PIECES).encode()}


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    learned(STORY, 3)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    learned(STORY, 3)
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_without_tokenizers_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        ValueError, match=r"^vocabulary: bpe\(\.\.\.\) needs tokenizers.*: pip install 'ratefront\[text\]'$"
    ):
        asked(vocabulary="bpe(300)")
    assert asked(pieces=packed(PIECES)).numbers(STORY)[0].dtype == np.uint16, "a network's own pieces need no package"


def asked(**changes: Any) -> Vocabulary:
    settings = {"vocabulary": "characters", "characters": "", "pieces": "", **changes}
    return vocabulary_of(STORY, STORY[:700], called="story.txt", **settings)


def test_pieces_are_learned_from_what_is_for_training() -> None:
    first = vocabulary_of(
        b"abab " * 90 + b"cdcd " * 9, b"abab " * 90, called="", vocabulary="bpe(258)", characters="", pieces=""
    )
    assert {*b"".join(unpacked(first.pieces))} <= {*b"ab "}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"vocabulary": "bpe(256)"},
            r"vocabulary is bpe\(256\): wanted 257 to 65536 tokens, of which 256 are the bytes",
        ),
        ({"vocabulary": "bpe(99999999)"}, r"vocabulary is bpe\(99999999\): wanted 257 to 65536 tokens"),
        ({"vocabulary": "bpe(1e3)"}, r"vocabulary is 'bpe\(1e3\)': wanted characters, bytes, or bpe\(N\), such as bpe"),
        ({"vocabulary": 1024}, r"vocabulary is 1024: wanted characters, bytes, or bpe\(N\), such as bpe\(1024\)"),
        (
            {"vocabulary": "bpe(999)"},
            r"story.txt is too short to learn 999 tokens .*: wanted vocabulary: bpe\(\d+\) or les",
        ),
        ({"pieces": "\1ab"}, r"pieces are '\\x01ab': wanted at most 65280 different ones of 2 to 32 bytes"),
        (
            {"pieces": "\0ab", "vocabulary": "bytes"},
            r"pieces of 257 tokens are given, and vocabulary is 'bytes': leave",
        ),
        (
            {"pieces": "\0ab", "vocabulary": "bpe(300)"},
            r"pieces of 257 tokens are given, and vocabulary is 'bpe\(300\)'",
        ),
        ({"pieces": "\0ab", "characters": "ab"}, r"characters are given, and pieces are: leave one of them out"),
        ({"characters": "ab", "vocabulary": "bpe(300)"}, r"characters are given, and vocabulary is 'bpe\(300\)'"),
    ],
)
def test_what_no_vocabulary_can_be_is_refused_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}") as caught:
        asked(**changes)
    assert str(caught.value).isprintable()


def test_a_text_with_nothing_to_learn_is_sent_to_bytes() -> None:
    with pytest.raises(ValueError, match=r"it has 256 with the 256 bytes: wanted vocabulary: bytes$"):
        vocabulary_of(b"abc", b"abc", called="a.txt", vocabulary="bpe(300)", characters="", pieces="")
