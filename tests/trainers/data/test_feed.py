"""The batches of a training and of a measurement, whoever reads them."""

import gc
import hashlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from tests.processes import is_alive, wait_until
from tests.trainers.data.feed_examples import Noisy, Odd, Pids
from trainers.data import workers
from trainers.data.examples import Chosen, InMemory, TaskError, head
from trainers.data.feed import Feed, in_memory, passed
from trainers.data.map_style import MapStyle
from trainers.data.order import Order
from trainers.data.starting import check_pickled
from trainers.trees import leaves

ROOT = Path(__file__).parents[3]
WAIT_S = 60


def digests(num_workers, steps, num=1000, batch_size=16):
    """A hash of each step's batch."""
    found = []
    with Feed(Noisy(num), batch_size=batch_size, seed=3, num_workers=num_workers) as feed:
        for step in steps:
            parts = (leaf.numpy().tobytes() for tree in feed.batch(step) for leaf in leaves(tree))
            found.append(hashlib.sha256(b"".join(parts)).hexdigest())
    return found


def all_of(examples):
    with Feed(examples, batch_size=10, seed=0, num_workers=2) as feed:
        for step in range(10):
            feed.batch(step)


def step_before(number):
    """The step before the one that sees this number of 100, in batches of ten."""
    order = Order(100, batch_size=10, seed=0)
    return next(step for step in range(1, 100) if number in order.numbers(step + 1))


def test_any_number_of_workers_and_a_resume_with_another_give_the_same_bytes():
    torch.set_num_threads(2)  # here; workers have one
    try:
        alone = digests(0, range(300))
    finally:
        torch.set_num_threads(1)
    assert len(set(alone)) == 300
    assert digests(1, range(300)) == alone
    assert digests(4, range(137)) + digests(2, range(137, 300)) == alone
    assert digests(2, [7, 8, 3, 4, 200]) == [alone[step] for step in (7, 8, 3, 4, 200)]


def test_the_generators_of_the_training_stay_as_they_are():
    for num_workers in (0, 1):
        torch.manual_seed(5)
        wanted = torch.rand(3)
        torch.manual_seed(5)
        with Feed(Noisy(100), batch_size=4, seed=0, num_workers=num_workers) as feed:
            feed.batch(0)
            list(passed(Noisy(100), 50, num_workers=num_workers))
        assert torch.equal(torch.rand(3), wanted)


def test_what_lies_in_memory_is_indexed_and_nothing_is_seeded(monkeypatch):
    monkeypatch.setattr("trainers.data.loading.seed_everything", None)
    examples = InMemory(inputs=torch.arange(10.0), targets=torch.arange(10))
    order = Order(10, batch_size=4, seed=1)
    with Feed(examples, batch_size=4, seed=1, num_workers=2) as feed:
        assert torch.equal(feed.batch(3).targets, order.numbers(3))
        assert feed.batch(3).inputs.data_ptr() != examples.inputs.data_ptr()
    assert [batch.targets.tolist() for batch in passed(head(examples, 5), 3, num_workers=2)] == [[0, 1, 2], [3, 4]]
    assert in_memory(Chosen(whole=head(examples, 5), numbers=torch.arange(2)))
    assert not in_memory(head(Noisy(10), 5))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_measurement_passes_all_examples_in_their_order(num_workers):
    found = list(passed(Noisy(25), 10, num_workers=num_workers))
    assert [len(batch.targets) for batch in found] == [10, 10, 5]
    assert torch.cat([batch.inputs["number"] for batch in found]).tolist() == list(range(25))
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_measurement_does_not_end_early_where_a_data_set_runs_out(num_workers):
    with pytest.raises((RuntimeError, ValueError), match="StopIteration"):
        list(passed(Odd("stop"), 10, num_workers=num_workers))


def test_workers_have_one_thread_and_end_when_the_feed_closes_or_a_measurement_is_left():
    feed = Feed(Pids(), batch_size=2, seed=0, num_workers=2)
    batches = [feed.batch(step) for step in range(6)]
    pids = {batch.inputs[0].item() for batch in batches}
    assert len(pids) == 2
    assert {batch.targets[0].item() for batch in batches} == {1}
    assert os.getpid() not in pids
    feed.close()
    feed.close()
    assert not multiprocessing.active_children()
    measured = passed(Pids(), 2, num_workers=2)
    next(measured)
    assert len(multiprocessing.active_children()) == 2
    measured.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("deed", "error", "said"),
    [
        ("refuse", ValueError, "^picture 40 is torn$"),
        ("fail", ValueError, "^KeyError: 40$"),
        ("fill", MemoryError, "^no memory$"),
        ("exit", ValueError, r"^reading an example called sys.exit\('no data'\): wanted an error that says what"),
        ("shm", ValueError, "^/dev/shm has .* MB free, and 2 data_workers keep up to 5 batches of 0.0 MB there"),
        ("SIGBUS", ValueError, "^/dev/shm has .* MB free, and 2 data_workers keep"),
        ("SIGKILL", RuntimeError, "^a process that loads data was killed"),
        ("SIGTERM", RuntimeError, "^a process that loads data ended"),
    ],
)
def test_what_a_worker_cannot_read_is_one_line(deed, error, said):
    with pytest.raises(error) as caught:
        all_of(Odd(deed))
    assert re.search(said, str(caught.value))
    assert "\n" not in str(caught.value)
    if deed in ("refuse", "fail", "fill", "exit"):
        assert "feed_examples.py" in caught.value.__notes__[0]  # where, for the trial's record
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("deed", ["refuse", "fail", "exit"])
def test_what_cannot_be_read_is_the_tasks_mistake_whoever_reads(deed):
    for num_workers in (0, 2):
        with pytest.raises(TaskError) as caught:
            list(passed(Odd(deed), 50, num_workers=num_workers))
        assert "\n" not in str(caught.value)
    with pytest.raises(MemoryError):
        list(passed(Odd("fill"), 50))


def test_a_closed_feed_does_not_wait_for_a_worker_that_is_busy(monkeypatch):
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    feed = Feed(Odd("sleep"), batch_size=10, seed=0, num_workers=1)
    feed.batch(step_before(40))
    feed.close()
    assert not multiprocessing.active_children()


def test_too_little_shared_memory_is_said_before_workers_start(monkeypatch):
    monkeypatch.setattr(workers, "_room", lambda: 1000)
    with pytest.raises(ValueError, match=r"/dev/shm has 0 MB free, and 3 data_workers keep up to 7 batches of 0.0 MB"):
        Feed(Noisy(100), batch_size=64, seed=0, num_workers=3).batch(0)
    assert not multiprocessing.active_children()


def test_what_cannot_be_sent_to_workers_is_refused():
    examples = MapStyle([(lambda: 1, 2)] * 3, collate=len)
    with pytest.raises(ValueError, match=r"examples cannot be sent to workers \(.*lambda.*data_workers to 0"):
        check_pickled(examples)


SCRIPT = """
import sys
import torch
from tests.processes import is_alive, wait_until
from tests.trainers.data.feed_examples import Odd, Pids
from torch.utils.data import Dataset
from trainers.data.feed import Feed
from trainers.data.map_style import MapStyle

class Mine(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, number):
        return number, number

if __name__ == "__main__":
    {body}
"""


def script(tmp_path, body):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(body=textwrap.indent(textwrap.dedent(body), "    ").strip()))
    return subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def test_a_data_set_of_the_main_module_is_found_there(tmp_path):
    body = """
        with Feed(MapStyle(Mine()), batch_size=8, seed=0, num_workers=1) as feed:
            print(sorted(feed.batch(0).targets.tolist()))
    """
    assert script(tmp_path, body).communicate(timeout=WAIT_S)[0] == "[0, 1, 2, 3, 4, 5, 6, 7]\n"


def test_workers_of_a_training_that_is_killed_end_by_themselves(tmp_path):
    body = """
        import multiprocessing, time
        feed = Feed(Odd("sleep"), batch_size=10, seed=0, num_workers=2)  # one will be busy
        feed.batch({step})
        from multiprocessing import forkserver
        pids = [child.pid for child in multiprocessing.active_children()]
        print(*pids, forkserver._forkserver._forkserver_pid, flush=True)
        time.sleep(600)
    """.replace("{step}", str(step_before(40)))
    training = script(tmp_path, body)
    assert training.stdout is not None
    pids = [int(pid) for pid in training.stdout.readline().split()]
    assert len(pids) == 3
    assert all(map(is_alive, pids))
    training.send_signal(signal.SIGKILL)
    training.wait()
    training.stdout.close()
    assert wait_until(lambda: not any(map(is_alive, pids)), at_most_s=WAIT_S)


def test_a_feed_that_is_forgotten_ends_its_workers():
    feed = Feed(Pids(), batch_size=2, seed=0, num_workers=1)
    feed.batch(0)
    del feed
    gc.collect()
    assert not multiprocessing.active_children()
