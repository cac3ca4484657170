"""Settings as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.points.labels import config_labels, config_text, method_variants


def labels(*settings: dict[str, str], point_ids: str = "0", **others: list[str]) -> list[str]:
    """The labels of trials, one for each of ``settings``; ``others`` are more columns with an entry for each trial."""
    rows = [
        {"task": "digits", "architecture": "mlp", "method": "epr", "sweep_id": "s", "trial_id": str(i), "point_id": p}
        | {key: values[i] for key, values in others.items()}
        for i in range(len(settings))
        for p in point_ids
    ]
    return config_labels(rows, [given for given in settings for _ in point_ids])


def test_labels_show_the_settings_that_differ() -> None:
    assert labels({"method.lam": "0.29138", "method.k": "2"}, {"method.lam": "1", "method.k": "2"}) == [
        "lam=0.291",
        "lam=1",
    ]


def test_labels_are_empty_where_nothing_differs() -> None:
    given = {"method.bits": "4", "method.grid": "per_row", "steps": "100"}
    assert labels(given) == [""]
    assert labels(given, given, architecture=["mlp(hidden=[8])", "cnn"]) == ["", ""]
    assert labels({}) == [""]


def test_settings_are_compared_within_a_task_and_a_method() -> None:
    epr, ptq = {"method.learning_rate": "0.002"}, {"method.learning_rate": "0.005"}
    assert labels(epr, ptq, method=["epr", "ptq"]) == ["", ""]
    assert labels(epr, ptq, task=["digits", "mnist"]) == ["", ""]
    assert labels(epr, ptq) == ["learning_rate=0.002", "learning_rate=0.005"]


def test_labels_show_the_schedule_only_where_it_differs() -> None:
    assert labels({"method.bits": "4", "steps": "100"}, {"method.bits": "4", "steps": "200"}) == [
        "steps=100",
        "steps=200",
    ]


def test_numbers_have_as_many_digits_as_keep_them_apart() -> None:
    given = [{"method.lam": lam} for lam in ("0.291381", "0.291429", "1.0")]
    assert labels(*given) == ["lam=0.29138", "lam=0.29143", "lam=1"]


def test_labels_tell_the_points_of_one_trial_apart() -> None:
    assert labels({"method.lam": "1"}, point_ids="ab") == ["point=a", "point=b"]


def test_trials_of_two_sweeps_that_share_an_id_are_not_one_trial() -> None:
    given = {"method.lam": "1"}, {"method.lam": "2"}
    assert labels(*given, trial_id=["t", "t"], point_id=["a", "b"], sweep_id=["s", "t"]) == ["lam=1", "lam=2"]


def test_two_sweeps_that_ran_the_same_are_told_apart() -> None:
    given = [{"method.lam": lam} for lam in ("1", "1", "2")]
    assert labels(*given, sweep_id=["s-1", "s-2", "s-2"]) == ["lam=1 sweep=s-1", "lam=1 sweep=s-2", "lam=2"]


def test_the_whole_text_has_every_setting_as_it_was_logged() -> None:
    given = {"steps": "100", "method.lam": "0.2913857", "seed": "3", "method.bits": "4", "batch_size": "64"}
    assert config_text(given) == "bits=4 lam=0.2913857 steps=100 batch_size=64"
    assert config_text({}) == ""


def test_variants_of_a_method_are_told_apart_by_words_not_by_numbers() -> None:
    methods = ["epr", "epr", "epr", "ptq"]
    configs = ["density=learned lam=1 steps=9", "density=geometric lam=1", "density=geometric lam=2", "bits=4"]
    assert method_variants(methods, configs) == ["epr density=learned", *["epr density=geometric"] * 2, "ptq"]
    assert method_variants(methods[1:], configs[1:]) == ["epr", "epr", "ptq"]


WORDS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2.5", "learned", "none"]))


@given(st.lists(st.tuples(st.sampled_from(["epr", "ptq"]), WORDS), max_size=8))
def test_variants_are_what_a_comparison_of_all_pairs_finds(rows: list[tuple[str, dict[str, str]]]) -> None:
    def differs(method: str, key: str, value: str) -> bool:
        return any(name == method and other.get(key) != value for name, other in rows)

    expected = [
        " ".join([method, *(f"{k}={v}" for k, v in own.items() if v in ("learned", "none") and differs(method, k, v))])
        for method, own in rows
    ]
    configs = [" ".join(f"{key}={value}" for key, value in own.items()) for _, own in rows]
    assert method_variants([method for method, _ in rows], configs) == expected


@pytest.mark.timeout(30)
def test_variants_of_many_rows_are_found_in_time() -> None:
    num_rows = 50_000  # all pairs of them would take hours
    configs = [f"density=learned lam={index} steps=9" for index in range(num_rows)]
    assert set(method_variants(["epr"] * num_rows, [*configs[1:], "density=geometric"])) == {
        "epr density=learned",
        "epr density=geometric",
    }


def test_a_path_is_short_and_told_from_others() -> None:
    row = '{"first": 0.4, "learning_rate": 1.0, "path": {"from": 3.2, "points": 5, "to": 0.2}}'
    listed = '{"first": 0.2913857, "learning_rate": 0.5, "path": [8, 4, "ternary"]}'
    assert labels({"method.lam": row}, {"method.lam": listed}, {"method.lam": "0.5"}) == [
        "lam=path(3.2..0.2 in 5, first 0.4) point=0",
        "lam=path(8..ternary in 3, first 0.291, learning_rate 0.5) point=0",
        "lam=0.5",
    ], "a path that was stopped has one point, perhaps"


def test_paths_are_one_variant_of_a_method() -> None:
    row = '{"first": 0.4, "learning_rate": 1.0, "path": {"from": 3.2, "points": 5, "to": 0.2}}'
    configs = [config_text({"method.lam": lam}) for lam in (row, row.replace("0.4", "0.3"), "0.5")]
    assert method_variants(["epr"] * 3, configs) == ["epr lam=path", "epr lam=path", "epr"]
    assert method_variants(["epr"] * 2, configs[:2]) == ["epr", "epr"]
