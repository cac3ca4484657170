"""Files in a bucket: whole or not at all, with patience, at an address without keys."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.storage.bucket import Bucket, join
from orchestrator.storage.locations import location_of
from tests.orchestrator.storage.samples import FailingStore


def test_a_store_that_has_answered_is_given_time(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    store = FailingStore(bucket, monkeypatch)
    store.num_left = 1
    with pytest.raises(OSError, match="SlowDown"):
        bucket.write("a", b"1")  # it never answered
    bucket.write("a", b"1")
    store.num_left = 2
    assert bucket.read("a") == b"1"
    store.num_left = 3
    with pytest.raises(OSError, match="SlowDown"):
        bucket.read("a")


def test_a_write_that_is_interrupted_is_whole(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(location)
    submit = bucket._writing.submit

    def interrupted(*arguments: Any) -> Any:
        future = submit(*arguments)
        monkeypatch.setattr(future, "result", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        return future

    monkeypatch.setattr(bucket._writing, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bucket.write("a", b"all of it")
    bucket._writing.shutdown(wait=True)
    assert bucket.read("a") == b"all of it"


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("ftp://host/sweeps", "wanted a folder, or a bucket such as s3://bucket/sweeps"),
        ("s3://", "wanted a folder, or a bucket"),
        ("s3://key:hidden@bucket/sweeps", r"^storage s3://\.\.\.@bucket/sweeps came with a key"),
        ("s3a://key:hid/den@bucket/sweeps", "came with a key"),
        ("abfs://me:hidden@host/sweeps", "came with a key"),
        ("s3://bucket/a#b", "wanted an address without spaces"),
        ("s3://bucket/a b", "wanted an address without spaces"),
        ("s3://bucket/a?secret_key=hidden", "has the setting 'secret_key' after '\\?': wanted region"),
    ],
)
def test_addresses_are_checked(uri: str, complaint: str) -> None:
    for refuse in (lambda: location_of(uri, "x"), lambda: Bucket(uri)):
        with pytest.raises(ValueError, match=complaint) as caught:
            refuse()
        assert "hid" not in str(caught.value).replace("'secret_key'", "")


def test_names_go_before_the_query() -> None:
    assert join("s3://bucket/sweeps/?region=eu-west-1", "x") == "s3://bucket/sweeps/x?region=eu-west-1"
