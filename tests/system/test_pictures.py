"""The pictures of a report in a real browser are what ``ratefront decode`` writes, pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.console import call
from tests.pictures import write_picture
from tests.system.browsing import SCREENSHOTS
from trainers.record import read_json

pytestmark = pytest.mark.system

SWEEP = """
name: photos
task: {name: image, file: {each: [a.png, b.png]}}
architecture: {name: siren, depth: 2, width: 12}
method: {name: ptq, bits: [3, 8]}
steps: 100
batch_size: 256
"""
PIXELS = """image => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


def test_a_report_shows_the_images_and_what_the_files_of_the_frontier_decode_to(
    browser: Browser, workplace: Path
) -> None:
    originals = [write_picture(workplace / "a.png"), write_picture(workplace / "b.png", 1, height=24, width=20)]
    (workplace / "photos.yaml").write_text(SWEEP)
    swept = call(workplace, "sweep", "photos.yaml")
    assert swept.returncode == 0, swept.stderr + swept.stdout
    assert call(workplace, "report", "photos", "--out", "report.html").returncode == 0
    rows = [row for path in workplace.glob("sweeps/*/trials/*/ended.json") for row in read_json(path)["points"]]
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True, color_scheme=scheme)
        page = context.new_page()
        page.goto((workplace / "report.html").as_uri(), timeout=0)
        assert page.locator("nav a[href='#pictures']").is_visible()
        page.locator("#pictures").screenshot(path=SCREENSHOTS / f"pictures_{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1200
        groups = page.locator(".pictures").all()
        assert len(groups) == 2
        for group, given in zip(groups, originals, strict=True):
            first, *decoded = group.locator("figure").all()
            assert _is(first.locator("img").evaluate(PIXELS), given)
            assert decoded
            own = {f"{row['size_bytes']:,}": row for row in rows if row["task_file"].startswith(given.name)}
            for figure in decoded:
                row = own[figure.locator("b").inner_text().partition(" B")[0]]
                (sweep,) = (workplace / "sweeps").iterdir()
                said = call(workplace, "decode", str(sweep / row["path"]), "--out", "decoded.png")
                assert said.returncode == 0, said.stderr
                assert _is(figure.locator("img").evaluate(PIXELS), workplace / "decoded.png")
        context.close()


def _is(shown: list[int], file: Path) -> bool:
    """Whether pixels, as a browser has them, are those of a file."""
    with Image.open(file) as image:
        return np.array_equal(np.asarray(image.convert("RGBA")).reshape(-1), np.asarray(shown, np.uint8))
