"""How to run the sweep again: the command, the sweep's file, and what the sweep ran on."""

from __future__ import annotations

import base64
from collections import Counter

from analysis.report.markup import Html, element, folded, note, paragraph, section, table
from analysis.report.material import Material

_FILE = "sweep.yaml"
_LABELS = {"device": "processor", "num_threads": "threads of each training", "gpu": "GPUs of each training"}


def rerun(material: Material) -> Html:
    address = base64.b64encode(material.sweep_file.encode()).decode()
    save = element("a", f"Save {_FILE}", href=f"data:application/yaml;base64,{address}", download=_FILE)
    return section(
        "origin",
        "Run it again",
        paragraph("With the sweep's file, which is complete: a later default changes nothing in it."),
        element("pre", f"ratefront sweep {_FILE}"),
        paragraph(save),
        folded(_FILE, element("pre", material.sweep_file)),
        element("h3", "What it ran on"),
        _environments(material),
        note(
            "On one machine, with these versions, the same seeds give the same bytes. Elsewhere the last bits of "
            "floats differ, and with them sizes and qualities, a little."
        ),
    )


def _environments(material: Material) -> Html:
    """A table with a column for each different environment, the most frequent first."""
    counts = Counter(tuple(one.items()) for one in material.trials["environment"] if one)  # not run: empty
    found = [(dict(items), num) for items, num in counts.most_common()]
    names = list(dict.fromkeys(name for environment, _ in found for name in environment))
    rows = [[_label(name), *(environment.get(name, "-") for environment, _ in found)] for name in names]
    if material.commit:
        rows.append(["commit, when this page was made", *[material.commit] * len(found)])
    return table(["", *(f"{num:,} training{'s' if num > 1 else ''}" for _, num in found)], rows)


def _label(name: str) -> str:
    return _LABELS.get(name, name.removeprefix("version."))
