"""Fixtures of several folders."""

from __future__ import annotations

import pytest
import yaml

from tests.console import SWEEP, Finished, call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(SWEEP))
    return Finished(folder, call(folder, "sweep", "tiny.yaml"))
