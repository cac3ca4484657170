"""Consoles that are not UTF-8 show plain characters."""

from __future__ import annotations

import io
import sys

import pytest

from orchestrator.commands.plain_characters import plain, use_plain_characters


def test_what_has_no_likeness_becomes_a_question_mark() -> None:
    assert plain("● 97.1 ± 0.2 │ Bjøntegaard, López … 漢") == "* 97.1 +- 0.2 | Bjontegaard, Lopez ... ?"


@pytest.mark.parametrize(
    ("encoding", "wanted"),
    [("ascii", "* 1 +- 2 e"), ("latin-1", "* 1 ± 2 é"), ("cp1252", "* 1 ± 2 é"), ("utf-8", "● 1 ± 2 é")],
)
def test_a_stream_gets_what_it_can_encode(encoding: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    use_plain_characters()
    for stream in (sys.stdout, sys.stderr):
        stream.write("● 1 ± 2 é")
        stream.flush()
        assert stream.buffer.getvalue().decode(encoding) == wanted  # type: ignore[attr-defined]
