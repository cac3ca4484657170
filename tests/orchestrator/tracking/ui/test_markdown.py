"""What users call things makes no markup where Markdown is rendered."""

from __future__ import annotations

import pytest

from orchestrator.tracking.ui.markdown import code, words


@pytest.mark.parametrize(
    "text", ["mlp(hidden=[64])", "lam=0.1, groups=[2, 3]", "97.50 ± 0.20", "1,234", "mAP@0.5", "resnet_cifar", ""]
)
def test_what_sweeps_call_things_stays_as_it_is(text: str) -> None:
    assert words(text) == text


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "[a](javascript:b)", "[a] (b)", "[a][b]", "**a**", "&lt;", "a|b", "a`b", "a\\b",
     "http://x", "www.x.org", "\x1b]0;owned\x07", "two\nlines"],
)  # fmt: skip
def test_what_could_be_markup_is_code(text: str) -> None:
    shown = words(text)
    assert shown == code(text)
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert "`" not in shown[1:-1]
    assert "|" not in shown
    assert shown.isprintable()
