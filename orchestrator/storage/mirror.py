"""A journal in an object store: each process works on a copy of its own, of what it needs, and says what it wrote.

The store holds the truth. Of a trial one process writes at a time: the worker that runs it, and before and after it
the driver. What a worker told Ray is in the store already.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.storage.bucket import RemoteFolder, Stamp
from orchestrator.storage.journal import Journal
from orchestrator.storage.outcomes import Ended

_OF_SWEEP = ("instance", "sweep.yaml", "study.jsonl")
_RECORD = "ended.json"
_OF_TRIAL = ("trial.json", "progress.jsonl", _RECORD)
_CHECKPOINT = "checkpoint.pt"
_AT_ONCE = 16
"""Downloads: a sweep has thousands of small files."""


@dataclass(frozen=True, eq=False)
class MirroredJournal(Journal):
    """A sweep below an address. ``directory`` is this process's copy, which goes with the object: keep the object as
    long as a path of it is used."""

    remote: RemoteFolder
    _fetched: dict[str, Stamp] = field(default_factory=dict)
    """Of the store's, by name."""
    _stored: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time of the copy's, by name, where the store has the same."""

    @staticmethod
    def open(uri: str) -> MirroredJournal:
        """An empty copy."""
        remote = RemoteFolder(uri)
        folder = Path(tempfile.mkdtemp(prefix="ratefront-"))
        directory = folder / uri.partition("?")[0].rstrip("/").rpartition("/")[2]
        directory.mkdir()
        journal = MirroredJournal(directory, remote)
        weakref.finalize(journal, shutil.rmtree, folder, ignore_errors=True)
        return journal

    @property
    def location(self) -> str:
        return self.remote.uri

    @property
    def instance(self) -> str | None:
        if not (self.directory / "instance").exists():
            self._download("instance")
        return Journal.instance.fget(self)  # type: ignore[attr-defined,no-any-return]

    def begin_sweep(self, text: str) -> None:
        super().begin_sweep(text)
        try:
            self._upload("instance", "sweep.yaml")
        except OSError:  # else MLflow would hear of an instance that nobody finds again
            (self.directory / "instance").unlink()
            raise

    def append_study(self, line: dict[str, Any]) -> None:
        super().append_study(line)
        self._upload("study.jsonl")

    def begin(self, trial_id: str, config: dict[str, Any], environment: dict[str, str]) -> None:
        super().begin(trial_id, config, environment)
        self._upload(f"trials/{trial_id}/trial.json")

    def append_progress(self, trial_id: str, progress: Any) -> None:
        super().append_progress(trial_id, progress)
        with contextlib.suppress(OSError):  # a curve is not worth a training: the next report brings this one as well
            self._upload(f"trials/{trial_id}/progress.jsonl")

    def end(self, trial_id: str, ended: Ended) -> None:
        super().end(trial_id, ended)
        self._store(trial_id, without=(_RECORD, _CHECKPOINT))
        self._upload(f"trials/{trial_id}/{_RECORD}")

    def forget_failure(self, trial_id: str) -> None:
        had_record = self.ended(trial_id) is not None
        super().forget_failure(trial_id)
        if had_record and self.ended(trial_id) is None:
            self.remote.delete(f"trials/{trial_id}/{_RECORD}")
            self._fetched.pop(f"trials/{trial_id}/{_RECORD}", None)

    def forget_checkpoint(self, trial_id: str) -> None:
        super().forget_checkpoint(trial_id)
        self.remote.delete(f"trials/{trial_id}/{_CHECKPOINT}")

    def file(self, name: str) -> Path:
        path = self.directory / name
        if not path.exists():
            self._download(name)
        return path

    def fetch_all(self) -> None:
        listed = self.remote.files()
        kept = [str(path.relative_to(self.directory)) for path in self.directory.glob("trials/*/*.json*")]
        self._update([name for name in listed if name in _OF_SWEEP or _is_of_trial(name)], listed)
        self._drop([name for name in kept if _is_of_trial(name) and name not in listed])

    def fetch(self, trial_id: str, *, to_resume: bool = False) -> None:
        folder = f"trials/{trial_id}"
        listed = self.remote.files(folder)
        kinds = (*_OF_TRIAL, _CHECKPOINT) if to_resume else _OF_TRIAL
        names = [f"{folder}/{kind}" for kind in kinds]
        self._update([name for name in names if name in listed], listed)
        self._drop([name for name in names if name not in listed])

    def store(self, trial_id: str) -> None:
        with contextlib.suppress(OSError):  # the next time brings all of it
            self._store(trial_id, without=(_RECORD,))

    def check_writable(self) -> None:
        name = f".probe-{uuid.uuid4().hex}"
        self.remote.write(name, b"x")
        self.remote.delete(name)

    def close(self) -> None:
        shutil.rmtree(self.directory.parent, ignore_errors=True)

    def store_frontier(self) -> None:
        for path in sorted((self.directory / "frontier").iterdir()):
            self._upload(f"frontier/{path.name}")

    def _store(self, trial_id: str, *, without: tuple[str, ...]) -> None:
        for path in sorted(self.trial_directory(trial_id).iterdir()):
            if not path.name.startswith(".") and path.name not in without:
                self._upload(f"trials/{trial_id}/{path.name}")

    def _update(self, names: list[str], listed: dict[str, Stamp]) -> None:
        changed = [name for name in names if listed[name] != self._fetched.get(name)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, is_there in zip(changed, pool.map(self._download, changed), strict=True):
                if is_there:
                    self._fetched[name] = listed[name]

    def _drop(self, names: list[str]) -> None:
        for name in names:
            (self.directory / name).unlink(missing_ok=True)
            self._fetched.pop(name, None)

    def _download(self, name: str) -> bool:
        path = self.directory / name
        is_there = self.remote.download(name, path)
        if is_there:
            self._stored[name] = _size_and_time(path)
        return is_there

    def _upload(self, *names: str) -> None:
        """Those that changed."""
        for name in names:
            path = self.directory / name
            written = _size_and_time(path)
            if self._stored.get(name) != written:
                self.remote.write(name, path.read_bytes())
                self._stored[name] = written
                self._fetched.pop(name, None)


def _is_of_trial(name: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[0] == "trials" and parts[2] in _OF_TRIAL


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
