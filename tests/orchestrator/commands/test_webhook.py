"""A web service is sent the result of a sweep."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.commands.webhook import check_webhook, post


def test_the_result_arrives_with_a_text_for_people(service: tuple[str, list[Any]]) -> None:
    address, received = service
    assert post(address, "done", {"num_trials": 3}) == ""
    assert received == [{"text": "done", "num_trials": 3}]


def test_what_did_not_arrive_is_said_in_one_line(service: tuple[str, list[Any]]) -> None:
    address, _ = service
    assert post(f"{address}/no", "done", {}) == "HTTP Error 403: Forbidden"
    assert "refused" in post("http://127.0.0.1:1/", "done", {})


@pytest.mark.parametrize(
    "url", ["ftp://host", "host/path", "", "http://localhost:port/x", "http://exa mple/", "http:///x"]
)
def test_another_kind_of_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="wanted an address such as https://host/path"):
        check_webhook(url)
