"""Windows of a text."""

import numpy as np
import pytest
import torch

from trainers.data.windows import IGNORED, Passage, Windows

TEXT = np.arange(40, dtype=np.uint8)


def test_windows_begin_at_each_place() -> None:
    windows = Windows(text=TEXT, length=4, start=2, stop=12)
    assert len(windows) == 6
    inputs, targets = windows.take(torch.tensor([5, 0]))
    assert inputs.tolist() == [[7, 8, 9, 10], [2, 3, 4, 5]]
    assert targets.tolist() == [[8, 9, 10, 11], [3, 4, 5, 6]]
    assert inputs.dtype == targets.dtype == torch.int64


@pytest.mark.parametrize("stride", range(1, 7))
@pytest.mark.parametrize(("start", "stop"), [(1, 40), (1, 2), (3, 9), (20, 40), (39, 40)])
def test_each_token_of_a_passage_is_predicted_once_from_the_most_that_there_is(
    start: int, stop: int, stride: int
) -> None:
    length = 6
    passage = Passage(text=TEXT, length=length, stride=stride, start=start, stop=stop)
    inputs, targets = passage.take(torch.arange(len(passage)))
    assert inputs.shape == targets.shape == (len(passage), length)
    predicted = []
    for one, wanted in zip(inputs, targets, strict=True):
        for place in range(length):
            if wanted[place] != IGNORED:
                predicted.append(int(wanted[place]))
                assert wanted[place] == one[place] + 1, "the text counts up"
                assert place + 1 >= min(length - stride + 1, int(wanted[place]))
    assert predicted == list(range(start, stop))


def test_too_short_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^4 tokens are no window: wanted 5 at least$"):
        Windows(text=TEXT, length=4, start=0, stop=4)
    with pytest.raises(ValueError, match=r"^a text of 40 tokens from 0 to 3: wanted 5 tokens at least"):
        Passage(text=TEXT, length=4, stride=2, start=0, stop=3)
