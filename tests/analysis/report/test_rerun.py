"""How to run the sweep again, and what it ran on."""

from __future__ import annotations

import base64

import pandas as pd

from analysis.report.rerun import rerun
from tests.analysis.report.samples import ENVIRONMENT, material, measured, trial
from tests.analysis.report.test_markup import read


def test_the_sweeps_file_is_there_whole_to_read_and_to_save() -> None:
    text = "name: ä\n\ttask: <b>\n"
    reader = read(rerun(material(sweep_file=text)))
    assert text in reader.text
    (link,) = (attributes for attributes in reader.attributes if attributes.get("download") == "sweep.yaml")
    assert base64.b64decode(str(link["href"]).partition("base64,")[2]).decode() == text
    assert "ratefront sweep sweep.yaml" in reader.text


def test_what_it_ran_on_is_a_column_for_each_machine() -> None:
    points = measured()
    rows = [trial(row) for row in points.to_dict("records")]
    rows[0] |= {"environment": {**ENVIRONMENT, "device": "another"}}
    rows[1] |= {"environment": {}}
    reader = read(rerun(material(points, trials=pd.DataFrame(rows))))
    assert f"{len(rows) - 2} trainings" in reader.text
    for said in ("1 training", "a processor", "another", "3.11.7", "2.13.0", "c0ffee"):
        assert said in reader.text
