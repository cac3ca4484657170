"""A full disk is told from other errors, and its error names the file."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.full_disk import files_of_at_most
from trainers.full_disk import naming, why_full
from trainers.record import write_atomically


def test_what_a_full_disk_refused_is_said_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "point.rfz"
    with files_of_at_most(1000), pytest.raises(OSError, match="point") as raised:
        write_atomically(path, bytes(12345))
    assert why_full(raised.value) == f"file too large for 12,345 bytes: {path}"
    assert list(path.parent.iterdir()) == [], "half a file is removed"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_disks_and_quotas_may_be_full(number: int) -> None:
    assert why_full(OSError(number, "Full")) == "full"


def test_an_error_that_a_full_disk_led_to_is_one_of_a_full_disk() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "x")
    wrapped = RuntimeError("cannot go on")
    wrapped.__cause__ = full
    assert why_full(wrapped) == "no space left on device: x"
    meanwhile = RuntimeError("it went wrong meanwhile")
    meanwhile.__context__ = wrapped
    assert why_full(meanwhile) == "no space left on device: x"


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), OSError("SlowDown"), ValueError(), None])
def test_other_errors_say_nothing_of_a_full_disk(error: BaseException | None) -> None:
    assert why_full(error) == ""


def test_other_errors_are_passed_on_as_they_are(tmp_path: Path) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied", "another")
    with pytest.raises(PermissionError) as raised, naming(tmp_path, 3):
        raise denied
    assert raised.value is denied
