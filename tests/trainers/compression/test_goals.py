"""Which file is shipped, and where a better one is looked for, on made-up files."""

from __future__ import annotations

import pytest

from trainers.compression.candidates import Candidate
from trainers.compression.goals import Goal, UnreachableError
from trainers.fidelity import Fidelity


def candidate(step: float, *, is_measured: bool = True) -> Candidate:
    """A file as they are: bytes go like 1 / step, KL like step^4, disagreement like step^2."""
    near = Fidelity(kl=0.01 * step**4, agreement=1 - 0.02 * step**2) if is_measured else Fidelity()
    loss = 0.02 * step**2 if is_measured else None
    return Candidate(
        called=f"step {step:g}", value=step, data=bytes(round(6000 / step)), quality=None, loss=loss, fidelity=near
    )


GRID = [candidate(step) for step in (0.35, 0.5, 0.7, 1.0, 1.4)]


def searched(goal: Goal, first: float = 1.0) -> Candidate:
    """The file that is shipped after three more looks, as ``compress`` takes them."""
    found = [candidate(first)]
    while len(found) < 4 and (value := goal.next_value(found)) is not None:
        found.append(candidate(value))
    return goal.chosen(found)


@pytest.mark.parametrize("num_bytes", [2000, 4300, 7000, 10_000, 17_000])
def test_a_size_is_used_up_to_a_few_percent_and_never_passed(num_bytes: int) -> None:
    found = searched(Goal(max_size_bytes=num_bytes))
    assert 0.95 * num_bytes < found.size_bytes <= num_bytes


@pytest.mark.parametrize("limit", [0.0005, 0.003, 0.02, 0.1])
def test_a_kl_is_used_up_on_either_side_of_the_first_look(limit: float) -> None:
    found = searched(Goal(max_kl=limit))
    assert found.fidelity.kl is not None
    assert 0.7 * limit < found.fidelity.kl <= limit


@pytest.mark.parametrize("first", [0.3, 1.0, 3.0])
def test_a_loss_takes_the_smallest_file_that_keeps_to_it(first: float) -> None:
    found = searched(Goal(max_loss=0.015), first)
    assert found.loss is not None
    assert 0.012 < found.loss <= 0.015


def test_the_nearest_is_shipped_where_a_coarser_one_also_fits_and_more_bytes_are_worse() -> None:
    odd = [candidate(0.5), candidate(0.7), Candidate(**{**vars(candidate(0.6)), "fidelity": Fidelity(kl=1.0)})]
    assert Goal(max_size_bytes=11_000).chosen(odd).value == 0.7


def test_a_measure_that_is_not_smooth_is_halved() -> None:
    flat = [Candidate(**{**vars(one), "loss": loss}) for one, loss in zip(GRID, (0, 0, 0, 0.1, 0.1), strict=True)]
    assert Goal(max_loss=0.05).next_value(flat) == pytest.approx((0.7 * 1.0) ** 0.5)
    assert Goal(max_loss=0.2).next_value(flat[:3]) == pytest.approx(0.7 * 4)


def test_a_file_near_the_limit_ends_the_search() -> None:
    assert Goal(max_size_bytes=6060).next_value(GRID) is None
    assert Goal(max_kl=0.0102).next_value(GRID) is None
    assert Goal(max_size_bytes=10).next_value([candidate(16.0)]) is None


def test_what_cannot_be_reached_says_what_can() -> None:
    with pytest.raises(UnreachableError) as caught:
        searched(Goal(max_size_bytes=100))
    smallest = candidate(16.0)
    assert str(caught.value) == (
        f"100 bytes cannot be reached: the smallest is {smallest.size_bytes:,} bytes at {smallest.called}"
    )
    with pytest.raises(UnreachableError, match=r"^KL of 1e-12 is not reached: the least is .* bytes at step 0\.015"):
        searched(Goal(max_kl=1e-12))


def test_without_a_goal_the_smallest_near_one_is_shipped_else_the_one_of_most_bytes() -> None:
    assert Goal().next_value(GRID) is None
    assert Goal().chosen(GRID).value == 0.7
    assert Goal().chosen(GRID[3:]).value == 1.0
    assert Goal().chosen([candidate(step, is_measured=False) for step in (1.0, 0.5)]).value == 0.5


def test_a_size_without_measures_takes_the_most_bytes() -> None:
    unmeasured = [candidate(one.value, is_measured=False) for one in GRID]
    assert Goal(max_size_bytes=9000).chosen(unmeasured).value == 0.7
