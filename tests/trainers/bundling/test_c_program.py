"""A bundle has all that a compiler needs; nothing that a file calls itself is in it; what C cannot do is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn

from tests.trainers.bundling.networks import file_of, opened
from trainers.bundling.c_program import bundle
from trainers.compressed import open_bytes, open_compressed

RESULTS = Path(__file__).parents[3] / "results"
FILES = {"main.c", "net.c", "net.h", "layers.c", "layers.h", "rfz.c", "rfz.h", "test_vector.h"}


class Evil(nn.Module):
    """Its module and its argument have a name that is searched for in the program."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.add_module("evil", nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self._modules["evil"](x)  # type: ignore[misc]
        return made


def test_a_bundle_has_all_files_and_no_name_from_the_file() -> None:
    data = file_of(Evil("evil"), "evil:Evil", text="evil argument")
    made = bundle(open_bytes(data, architecture=Evil), (4,))
    assert set(made.files) == FILES
    assert not any(b"evil" in made.files[name] for name in FILES)
    assert ", ".join(f"0x{byte:02x}" for byte in data[:16]) in made.files["net.c"].decode()
    assert made.file_bytes == len(data)


def test_a_network_without_a_known_input_asks_for_its_shape() -> None:
    data = file_of(Evil("x"), "evil:Evil", text="x")
    with pytest.raises(ValueError, match="does not say what shape an example has: give --input-shape"):
        bundle(open_bytes(data, architecture=Evil))


def test_an_example_is_of_the_arguments_shape_or_the_default() -> None:
    made = bundle(opened("mlp", input_shape=[2, 3], num_outputs=4, hidden=[5]))
    assert b"NET_INPUTS 6\n#define NET_OUTPUTS 4\n" in made.files["net.h"]


class Backwards(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.second, self.first = nn.Linear(4, 2), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.second(self.first(x))
        return made


class Lazy(Backwards):
    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.second(x)
        return made


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Backwards, "layer 'first' needs 'first.weight' where the file has 'second.weight': the C program reads each"),
        (Lazy, "no layer that is called has tensor 'first.weight': wanted one for each"),
    ],
)
def test_weights_are_read_once_in_the_files_order(kind: type[nn.Module], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        bundle(open_bytes(file_of(kind(), "own:net"), architecture=kind), (4,))
    assert str(caught.value).startswith(message)


def test_what_the_reader_cannot_compute_is_refused() -> None:
    found = open_compressed(next(iter(sorted(RESULTS.glob("resnet20_apart/frontier/*.rfz")))))
    with pytest.raises(ValueError, match=r"^method 'epr' computes 'conv1\.weight' from what the file holds by arithm"):
        bundle(found)
