"""Messages repeat little of what they were given, and nothing that a terminal obeys."""

from __future__ import annotations

import pytest

from trainers.echo import MOST_CHARACTERS, echo, printable, shortened


@pytest.mark.parametrize("value", ["epr", 7, ["a", 1.5], None, "Bjøntegaard"])
def test_short_values_are_shown_as_python_writes_them(value: object) -> None:
    assert echo(value) == repr(value)


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), 10**4000])
def test_long_values_are_cut(value: object) -> None:
    assert echo(value) == repr(value)[: MOST_CHARACTERS - 1] + "…"


def test_nothing_is_sent_to_the_terminal() -> None:
    assert shortened("a\x1b[31mb\r\n\x9b\u202ec") == "a\\x1b[31mb\\r\\n\\x9b\\u202ec"
    assert echo("\x1b]0;owned\x07") == "'\\x1b]0;owned\\x07'"


def test_what_can_be_printed_stays_as_it_is() -> None:
    assert printable("±1, Bjøntegaard") == "±1, Bjøntegaard"
    assert printable("a\x1b[2A\n") == "a\\x1b[2A\\n"
