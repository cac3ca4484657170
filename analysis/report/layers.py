"""Where the bytes of the recommended files go, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.drawing.legend import whole_name
from analysis.drawing.style import COLOURS, GREY, OTHER_COLOUR
from analysis.report.charts import FONT, chart, legend, new_figure, style
from analysis.report.markup import Html, note, paragraph, section
from analysis.report.material import Material
from analysis.report.recommendations import chosen
from analysis.units import format_size

_MOST_LAYERS, _MOST_KINDS = 12, 5
_OVERHEAD = "overhead"
_REST = "other"
_ROW_IN = 0.22
_MOST_CHARACTERS = 26


def layers(material: Material) -> Html:
    rows = {name: row for name, row in chosen(material.configurations).items() if row["file_path"] in material.shares}
    if not rows:
        return section("layers", "Where the bytes go", paragraph("No recommended file has a record of its parts."))
    tables, kinds = _merged({name: by_layer(material.shares[row["file_path"]]) for name, row in rows.items()})
    colours = dict(zip(kinds[:-1], COLOURS, strict=False)) | {_OVERHEAD: OTHER_COLOUR}
    longest = max(map(len, tables.values()))
    names = {layer: whole_name(layer, _MOST_CHARACTERS) for table in tables.values() for layer in table.index}
    num_lines = max(1 + name.count("\n") for name in names.values())
    figure = new_figure(1.0 + _ROW_IN * longest * (1 + num_lines) / 2)
    panels = figure.subplots(1, len(tables), squeeze=False)[0]
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        left = pd.Series(0.0, index=table.index)
        for kind in kinds:
            axes.barh(range(len(table)), table[kind], 0.7, left, color=colours[kind], label=kind)
            left += table[kind]
        total = float(left.sum())
        for place, size in enumerate(left):
            share = f" {format_size(size) if size >= 1 else '<1 B'}, {size / total:.0%}"
            axes.text(size, place, share, va="center", fontsize=FONT - 1.5, color=GREY)
        axes.set_yticks(range(len(table)), labels=[names[layer] for layer in table.index], parse_math=False)
        axes.set(xlim=(0, 1.55 * left.max()), ylim=(longest - 0.4, -0.6), xticks=[])
        style(axes, title=f"{name.capitalize()}, {format_size(rows[name]['file_size_bytes'])}")
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
    legend(figure, *panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=len(kinds))
    return section(
        "layers",
        "Where the bytes go",
        chart(figure, "layers", "Bytes of each layer of the recommended files"),
        note(
            "One bar for each layer, the largest first; the bars of a file add up to its length. All integers of a "
            "file share one entropy-coded stream, so a tensor's bytes are the information that it adds to it. "
            "Overhead is the header, frequency tables, checksum and rounding. Layers are called as in the network's "
            "state_dict. Each panel has its own scale."
        ),
    )


def by_layer(shares: pd.DataFrame) -> pd.DataFrame:
    """Bytes of each layer by kind of tensor, the largest layer first.

    Args:
        shares: ``SHARE_COLUMNS``; where ``part`` is ``tensor``, ``name`` is a name of the ``state_dict``.

    Returns:
        A row for each layer, at most twelve and one for the rest; a column for each kind of tensor, such as ``weight``.
    """
    is_tensor = shares["part"] == "tensor"
    names = shares["name"].fillna("").astype(str)
    split = names.str.rpartition(".")
    layer = split[0].where(split[0] != "", names).where(is_tensor, _OVERHEAD)
    kind = split[2].where(is_tensor, _OVERHEAD)
    table = shares.assign(layer=layer, kind=kind).pivot_table("size_bytes", "layer", "kind", "sum", fill_value=0.0)
    table = table.loc[table.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    if len(table) > _MOST_LAYERS + 1:
        rest = table.iloc[_MOST_LAYERS:]
        table = table.iloc[:_MOST_LAYERS]
        table.loc[f"{len(rest)} smaller ones"] = rest.sum()
    return table


def _merged(tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The tables with the same columns: the largest kinds of tensors, the other kinds as one, the overhead last."""
    sums = pd.concat([table.sum() for table in tables.values()]).groupby(level=0).sum()
    largest = [kind for kind in sums.sort_values(ascending=False, kind="stable").index if kind != _OVERHEAD]
    kept, rest = largest[:_MOST_KINDS], largest[_MOST_KINDS:]
    kinds = [*kept, *([_REST] if rest else []), _OVERHEAD]
    whole = {
        name: table.assign(**{_REST: table[[kind for kind in rest if kind in table]].sum(axis=1)})
        for name, table in tables.items()
    }
    return {name: table.reindex(columns=kinds, fill_value=0.0) for name, table in whole.items()}, kinds
