"""Several images in one sweep are repeats: trained, resumed, compared with codecs, exported and shipped together."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

from tests.console import call
from tests.pictures import write_picture
from trainers.record import read_json

SWEEP = """
name: photos
task: {name: image, file: {each: [a.png, b.png]}, whole: true}
architecture: {name: siren, depth: 1, width: 8}
method: {name: ptq, bits: [4, 8]}
steps: 20
batch_size: 256
"""


def test_images_of_two_sizes_are_repeats_from_the_plan_to_the_file(workplace: Path) -> None:
    write_picture(workplace / "a.png")
    write_picture(workplace / "b.png", 1, height=24, width=20)
    (workplace / "photos.yaml").write_text(SWEEP)
    planned = call(workplace, "plan", "photos.yaml")
    assert "2 configurations x 2 files = 4 trials" in planned.stdout, planned.stderr
    swept = call(workplace, "sweep", "photos.yaml")
    assert swept.returncode == 0, swept.stderr + swept.stdout
    assert "means over 2 files" in swept.stdout
    points = [read_json(path)["points"][0] for path in workplace.glob("sweeps/*/trials/*/ended.json")]
    assert sorted(point["task_file"].partition("#")[0] for point in points) == ["a.png", "a.png", "b.png", "b.png"]
    assert len({point["config_hash"] for point in points}) == 2
    (lost,) = workplace.glob("sweeps/*/trials/0001-ptq-s0-f1/ended.json")
    lost.unlink()
    resumed = call(workplace, "sweep", "photos.yaml", "--resume")
    assert "4 of 4 trials finished" in resumed.stdout, resumed.stderr

    chosen = call(workplace, "best", "photos", "--max-size", "1MB")
    *files, said = chosen.stdout.splitlines()
    assert [Path(file).parent.name for file in files] == ["0001-ptq-s0-f0", "0001-ptq-s0-f1"], chosen.stderr
    assert said.startswith("mean over 2 files: ")
    assert set(json.loads(call(workplace, "best", "photos", "--max-size", "1MB", "--json").stdout)["files"]) == {
        point["task_file"] for point in points
    }
    exported = call(workplace, "export", "photos", "--out", "out")
    assert exported.returncode == 0, exported.stderr
    with (workplace / "out" / "points.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert {row["task_file"] for row in rows} == {point["task_file"] for point in points}
    assert len(list((workplace / "out" / "frontier").glob("*.rfz"))) in (2, 4)
    originals = (workplace / "out" / "frontier").glob("original-*.png")
    assert {path.name.split("-")[1] for path in originals} == {"a", "b"}
    reported = call(workplace, "report", "photos", "--out", "report.html")
    assert reported.returncode == 0, reported.stderr
    page = (workplace / "report.html").read_text()
    for file in map(Path, files):
        decoded = call(workplace, "decode", str(file), "--out", "decoded.png")
        assert decoded.returncode == 0, decoded.stderr
        stored = file.with_suffix(".png").read_bytes()
        assert stored == (workplace / "decoded.png").read_bytes()
        assert base64.b64encode(stored).decode() in page
    assert len(list(workplace.glob("sweeps/*/originals/*.png"))) == 2
    task = "{name: image, file: {each: [b.png, a.png]}}"
    coded = call(workplace, "codecs", "--task", task, "--codec", "jpeg", "--out", "jpeg")
    assert coded.returncode == 0, coded.stderr
    beside = call(workplace, "compare", "out/", "jpeg/", "--by", "method", "--json")
    assert {side["num_files"] for side in json.loads(beside.stdout)["fronts"]} == {2}, beside.stderr
    refused = call(workplace, "evaluate", files[0], "--task", task)
    assert "file names files in turn, and wanted is one of them: file: PATH" in refused.stderr
