"""Names of qualities that MLflow takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric
from mlflow.utils.validation import _validate_metric_name

from analysis.points.metric_names import FIDELITY_METRICS, other_metrics, quality_metric


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("accuracy", "accuracy"),
        ("bits/char", "bits/char"),
        ("mAP@0.5", "mAP_0.5"),
        ("PSNR (dB)", "PSNR _dB_"),
        ("size_bytes", "quality_size_bytes"),
        ("../up", "__up"),
        ("", "quality_"),
    ],
)
def test_what_mlflow_takes_stays_and_the_rest_is_replaced(name: str, wanted: str) -> None:
    assert quality_metric(name) == wanted


@given(st.text(max_size=20))
def test_mlflow_takes_every_name(name: str) -> None:
    for metric in (quality_metric(name), f"{quality_metric(name)}_val", f"epoch_{quality_metric(name)}_val"):
        _validate_metric_name(Metric(metric, 0.0, 0, 0).key)


def test_other_qualities_keep_their_names_where_no_metric_has_it() -> None:
    assert other_metrics("accuracy", ["top-5 accuracy", "NLL"]) == {"top-5 accuracy": "top-5 accuracy", "NLL": "NLL"}
    odd = ["accuracy_val", "a@b", "a_b", "size_bytes", *FIDELITY_METRICS.values()]
    metrics = other_metrics("accuracy", odd)
    assert metrics["accuracy_val"] == "other_accuracy_val"
    assert (metrics["a@b"], metrics["a_b"]) == ("a_b", "other_a_b")
    both = [one for metric in ("accuracy", *metrics.values()) for one in (metric, f"{metric}_val")]
    assert len({*both}) == len(both)


@given(st.lists(st.text(max_size=5), unique=True, max_size=6))
def test_every_quality_has_a_metric_of_its_own(names: list[str]) -> None:
    metrics = other_metrics("accuracy", names).values()
    both = ["accuracy", "accuracy_val", *(one for metric in metrics for one in (metric, f"{metric}_val"))]
    assert len({*both}) == len(both)
    for metric in both:
        _validate_metric_name(Metric(metric, 0.0, 0, 0).key)
