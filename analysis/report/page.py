"""The whole page: its parts in order, in one file with everything it needs."""

from __future__ import annotations

import string
from pathlib import Path

from analysis.report.curves import curves
from analysis.report.frontier import frontier
from analysis.report.growth import growth
from analysis.report.layers import layers
from analysis.report.markup import Html, element, escaped, joined
from analysis.report.material import Material
from analysis.report.opening import answer, heading, promise, question
from analysis.report.outcomes import costs, outcomes
from analysis.report.pictures import pictures
from analysis.report.recommendations import ratios, recommendations
from analysis.report.rerun import rerun
from analysis.report.settings import settings
from analysis.report.trust import trust

_TEMPLATE = Path(__file__).with_name("page.html")

CONTENTS = {
    "question": "Question",
    "promise": "What a point is",
    "frontier": "Frontier",
    "pictures": "Pictures",
    "recommended": "Recommended",
    "ratios": "How much smaller",
    "layers": "Bytes by layer",
    "curves": "Training",
    "settings": "Settings",
    "growth": "Search",
    "spread": "Trust",
    "outcomes": "Failures",
    "costs": "Cost",
    "origin": "Run it again",
}
"""The anchor of each part, and its name in the list of contents; pictures are there where the task is an image."""


def page(material: Material) -> str:
    """A complete HTML page. It needs no other file and no network, and no user's text becomes markup.

    The same material gives the same text.
    """
    contents = {anchor: title for anchor, title in CONTENTS.items() if anchor != "pictures" or material.pictures}
    links = element("nav", joined((element("a", title, href=f"#{anchor}") for anchor, title in contents.items()), " "))
    parts: list[Html] = [
        heading(material),
        answer(material),
        links,
        question(material),
        promise(material),
        frontier(material),
        pictures(material),
        recommendations(material),
        ratios(material),
        layers(material),
        curves(material),
        settings(material),
        growth(material),
        trust(material),
        outcomes(material),
        costs(material),
        rerun(material),
    ]
    template = string.Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=escaped(f"{material.task}: {material.sweep_id}"), body=joined(parts, "\n"))
