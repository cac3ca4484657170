"""Sizes as people write them."""

from __future__ import annotations

import pytest

from trainers.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("812", 812), ("812B", 812), ("10kB", 10_000), ("1.001 KB", 1001), (".5mb", 500_000), ("2GB", 2 * 10**9)],
)
def test_sizes_are_read_in_multiples_of_1000(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "kB", "10 KiB", "-3", "0", "1e3", "ten", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wanted bytes such as"):
        parse_size(text)
