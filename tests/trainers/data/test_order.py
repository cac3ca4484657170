"""Which examples a step sees."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.data import order
from trainers.data.order import Order, permuted
from trainers.seeding import derive


@given(num=st.integers(min_value=2, max_value=5000), key=st.integers(min_value=0, max_value=2**63 - 1))
def test_the_permutation_is_one(num, key):
    assert sorted(permuted(np.arange(num, dtype=np.uint64), num, key)) == list(range(num))


def test_places_are_permuted_one_by_one_alike():
    num = 10**12
    places = np.array([0, 1, 2, num - 1], dtype=np.uint64)
    together = permuted(places.copy(), num, 7)
    assert together.tolist() == [permuted(places[[i]], num, 7).item() for i in range(4)]
    assert together.max() < num
    assert together.tolist() != permuted(places.copy(), num, 8).tolist()


def test_the_permutation_looks_random():
    num = 60_000
    found = permuted(np.arange(num, dtype=np.uint64), num, 1).astype(np.int64)
    assert abs(np.corrcoef(np.arange(num), found)[0, 1]) < 0.02
    assert np.mean(found[1:] > found[:-1]) == pytest.approx(0.5, abs=0.02)


def test_small_sets_have_the_order_of_randperm():
    seen = Order(10, batch_size=3, seed=5)
    generator = torch.Generator().manual_seed(derive(5, "order", 1))
    wanted = torch.randperm(10, generator=generator)
    assert torch.equal(seen.numbers(4), wanted[3:6])  # three steps an epoch: the tenth example is left out


@pytest.mark.parametrize("most", [order.MOST_SHUFFLED, 4])
def test_an_epoch_sees_each_example_once_and_any_step_may_be_asked_first(monkeypatch, most):
    monkeypatch.setattr(order, "MOST_SHUFFLED", most)
    seen = Order(12, batch_size=4, seed=0)
    epochs = [[seen.numbers(3 * epoch + step) for step in range(3)] for epoch in range(2)]
    assert [sorted(torch.cat(batches).tolist()) for batches in epochs] == [list(range(12))] * 2
    assert not torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(Order(12, batch_size=4, seed=0).numbers(5), epochs[1][2])


@pytest.mark.parametrize("most", [order.MOST_SHUFFLED, 4])
def test_a_batch_larger_than_the_set_is_the_set(monkeypatch, most):
    monkeypatch.setattr(order, "MOST_SHUFFLED", most)
    assert sorted(Order(5, batch_size=64, seed=0).numbers(3).tolist()) == [0, 1, 2, 3, 4]
