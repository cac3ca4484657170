"""What legends say of networks, and the markers of methods."""

from __future__ import annotations

from matplotlib.lines import Line2D

from analysis.drawing.legend import marker, network_names, whole_name
from analysis.drawing.style import MARKERS, OTHER_MARKER, REFERENCE_MARKER


def test_every_method_of_a_long_list_has_a_marker_of_its_own() -> None:
    names = [*MARKERS, OTHER_MARKER, REFERENCE_MARKER]
    drawn = [Line2D([], [], **marker(name, 1.0)).get_marker() for name in names]
    assert len(set(drawn)) == len(names) >= 14


def test_two_networks_of_one_name_keep_their_modules() -> None:
    assert network_names(["mine:net(a=1)", "mlp"], 30) == {"mine:net(a=1)": "net(a=1)", "mlp": "mlp"}
    assert network_names(["mine:net", "yours:net"], 30) == {"mine:net": "mine:net", "yours:net": "yours:net"}


def test_a_long_name_is_whole() -> None:
    name = "recurrent_" * 7
    assert whole_name(name, 20).replace("\n", "") == name
    assert max(map(len, whole_name(name, 20).split("\n"))) <= 20


def test_a_long_name_is_broken_where_a_word_or_an_argument_ends() -> None:
    assert whole_name("mlp(hidden=[300,100])", 20) == "mlp(hidden=[300,\n100])"
    assert whole_name("lcs compression=unstructured levels=0.1", 20) == "lcs compression=\nunstructured levels=\n0.1"
    assert whole_name("encoder.layers.0.attention", 16) == "encoder.\nlayers.0.\nattention"
