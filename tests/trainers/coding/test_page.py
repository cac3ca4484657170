"""The page of the format has the constants that the coder uses."""

from __future__ import annotations

from pathlib import Path

from trainers.coding import grid_model, mixing, model
from trainers.coding.compiled import grid_values, grids
from trainers.coding.section_kinds import NUM_KINDS

_PAGE = (Path(__file__).parents[3] / "docs" / "rfz.md").read_text()
_PROSE = " ".join(_PAGE.split())


def words(*values: object) -> str:
    return " ".join(str(value) for value in values)


def test_the_page_has_all_weights_and_rates() -> None:
    flag, sign, level = model._FLAG_WEIGHTS, model._SIGN_WEIGHTS, model._LEVEL_WEIGHTS
    assert f"    flag       {words(*flag)}\n    sign       {words(*sign)}\n    magnitude  {words(*level)}\n" in _PAGE
    for weight in (*flag, *sign, *level):
        assert abs(weight * mixing.ONE % 1 - 0.5) > 0.001, "the page says that none lies half-way"
    settings = model._SETTINGS
    boosts = (model._FLAG_BOOST, model._SIGN_BOOST, model._LEVEL_BOOST)
    rates = (settings["flag_rate"], settings["sign_rate"], settings["level_rate"])
    said = {"rate": rates, "boost at first, times 2^16": boosts, "p of the density at first": model._DENSITIES}
    for name, numbers in said.items():
        assert f"| {name} {words(*(f'| {number}' for number in numbers))} |\n" in _PAGE


def test_the_page_has_all_limits_and_priors() -> None:
    said = {
        "flag_limit": ("(p = 2^21, n = 2; limit {})", "States learn with limit {}, that of"),
        "density_limit": ("that of the kind's density with {}.",),
        "near_limit": ("learns each flag of the row with limit {}.",),
        "sign_limit": ("All seven states learn with limit {}.",),
        "level_limit": ("States learn with limit {}. If all", "n = 2; limit {}), which"),
        "calm": ("boost = boost - (boost >> {})",),
        "row_prior": ("(2^20 r + {0} (rowdensity >> 6), 16 x + {0}))",),
        "column_prior": ("(2^20 c(x) + {0} (expected >> 6), 16 r0 + {0}))",),
        "wide_prior": ("(4 c(x) + around) + {0} D, 16 r0 (10 [+ 8]) + {0}))",),
        "beside_prior": ("around' + {0} D, r0 (6 [+ 8] + 2 in kernels) + {0})",),
        "above_prior": ("(2^22 2a + {0} p) / (2 columns + {0})", "(2^22 (2a + b) + {0} p) / (3 columns + {0})"),
        "channel_prior": ("(2^16 C + {0} D, size r0 + {0}))",),
        "flag_prior": ("64 squash(bothl), 64 at least and 2^22 - 64 at most, and n = {}.",),
        "level_prior": ("with the p of the first; n = {}.",),
    }
    missing = set(model._SETTINGS) - set(said) - {"flag_rate", "sign_rate", "level_rate"}
    assert not missing, "every setting is on the page"
    for name, sentences in said.items():
        for sentence in sentences:
            assert sentence.format(model._SETTINGS[name]) in _PROSE, sentence


def test_the_page_has_the_constants_of_grids() -> None:
    flag, sign, level = grid_model._FLAG_WEIGHTS, grid_model._SIGN_WEIGHTS, grid_model._LEVEL_WEIGHTS
    assert f"    flag       {words(*flag)}\n    sign       {words(*sign)}\n    magnitude  {words(*level)}\n" in _PAGE
    for weight in (*flag, *sign, *level):
        assert abs(weight * mixing.ONE % 1 - 0.5) > 0.001, "the page says that none lies half-way"
    chosen = grid_model._SETTINGS
    boosts = (grid_model._FLAG_BOOST, grid_model._SIGN_BOOST, grid_model._LEVEL_BOOST)
    rates = (chosen["flag_rate"], chosen["sign_rate"], chosen["level_rate"])
    for name, numbers in {"rate in grids": rates, "boost at first in grids, times 2^16": boosts}.items():
        assert f"| {name} {words(*(f'| {number}' for number in numbers))} |\n" in _PAGE
    assert chosen["calm"] == model._SETTINGS["calm"], "mixing is the same"
    page = _PROSE[_PROSE.index("### Grids") : _PROSE.index("### What it takes")]
    assert page.count(f"States learn with limit {chosen['limit']}.") == 2
    assert f"States learn with limit {chosen['sign_limit']}." in page
    assert f"((t step) >> {chosen['shift']})" in page
    assert f"begin each tensor with {', '.join(map(str, grid_model._PREDICTOR))}, and 0 for all others" in page
    assert f"Of {grid_values.GRID_FLAG_STATES} states eight" in page
    assert f"Three sets of weights of {grid_values.NUM_GRID_FLAG_SETS} are asked" in page
    assert f"Of {grid_values.GRID_SIGN_STATES} states five" in page
    assert f"A class has {grid_values.GRID_LEVEL_STATES} states" in page
    assert f"Of {grid_values.NUM_GRID_LEVEL_SETS} sets of weights" in page
    assert (grids._MOST_TAP, grids._MOST_WEIGHT, grids._MOST_EXPECTED) == (255, 2**19, 2**15)


def test_the_page_has_the_number_of_kinds() -> None:
    assert f"its kind + {NUM_KINDS[2]} * the kind's argument" in _PROSE
