"""Names of qualities that MLflow takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Metric
from mlflow.utils.validation import _validate_metric_name

from analysis.points.metric_names import quality_metric


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
