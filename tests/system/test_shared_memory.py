"""Workers that load data, where shared memory is as small as in a container: one line, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
SCRIPT = """
from tests.trainers.data.feed_examples import Wide
from trainers.data import workers
from trainers.data.feed import Feed

if __name__ == "__main__":
    {before}
    try:
        with Feed(Wide(), batch_size=32, seed=0, num_workers=2) as feed:
            for step in range(20):
                feed.batch(step)
        print("all read")
    except ValueError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("size", "before", "said"),
    [
        ("200m", "pass", "all read"),
        ("20m", "pass", "/dev/shm has 21 MB free, and 2 data_workers keep up to 5 batches of 6.4 MB there: have fewer"),
        ("20m", "workers._room = lambda: None", "/dev/shm has 0 MB free, and 2 data_workers keep up to 5 batches"),
    ],
    ids=["enough", "too little", "too little and not seen before"],
)
def test_too_little_shared_memory_is_one_line(tmp_path: Path, size: str, before: str, said: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(before=before))
    mounted = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "{sys.executable}" "{script}"'
    finished = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.stdout.startswith(said), finished.stdout + finished.stderr
    assert finished.stdout.count("\n") == 1
