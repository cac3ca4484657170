"""Which methods take which odd networks: `python -m tests.contract.taken` writes the table in docs/methods.md anew."""

from __future__ import annotations

import re
from pathlib import Path

from tests.trainers.trials import STRUCTURED
from tests.zoo import NETWORKS
from trainers.methods import METHODS

PAGE = Path(__file__).parents[2] / "docs/methods.md"

KINDS: dict[str, set[str]] = {
    "tied weights, a module under two names, a layer called twice": {
        "called_twice",
        "layer_under_two_names",
        "norm_under_two_names",
        "tied_buffer",
        "tied_embedding",
        "tied_language_model",
        "tied_transposed",
    },
    "`weight_norm`, `spectral_norm` (old and new form), `orthogonal`, a parametrization of one's own": {
        "orthogonal",
        "spectral_normed",
        "spectral_normed_of_old",
        "symmetric",
        "weight_normed",
        "weight_normed_of_old",
    },
    "recurrent layers": {"elman_rnn", "recurrent", "row_lstm", "token_gru"},
    "attention, transformers": {
        "bare_attention",
        "causal_decoder",
        "masked_encoder",
        "rotary",
        "tied_language_model",
    },
    "embeddings": {"bag_of_ids", "recurrent", "tied_embedding", "tied_language_model", "token_gru"},
    "convolutions (depthwise, grouped, dilated, transposed)": {"convolutions"},
    "other layers, parameters of one's own": {
        "bilinear",
        "branched",
        "chosen_by_name",
        "drop_path",
        "gained",
        "keeps_losses",
        "listed_parameters",
        "reads_grids",
        "returned_parameter",
        "routed",
        "siren",
    },
    "batch norms": {
        "activated_norm",
        "empty_batch_norm",
        "frozen_norm",
        "functional_norm",
        "norm_without_affine",
        "norm_without_bias",
        "norm_without_statistics",
        "offset_norm",
        "per_domain",
        "reads_statistics",
        "seldom_normed",
    },
    "layer, group, instance, RMS and local response norms": {"other_norms"},
    "frozen parameters": {"frozen_backbone", "frozen_base_with_update"},
    "integer and boolean parameters": {"indexed"},
    "float16": {"in_float16"},
    "bfloat16": {"in_bfloat16"},
    "float64": {"in_float64"},
    "weights of any size, parameters without elements": {
        "constants",
        "tiny_and_huge_weights",
        "tiny_weights",
        "tiny_weights_that_are_trained",
        "weights_beyond_float32",
        "without_elements",
    },
    "inputs of any size before a batch norm": {"huge_inputs", "inputs_far_from_zero"},
}
"""The networks of tests/zoo that have a thing, by what it is."""

WITH_HIDDEN_UNITS = {
    "branched",
    "causal_decoder",
    "constants",
    "frozen_backbone",
    "huge_inputs",
    "in_bfloat16",
    "in_float16",
    "in_float64",
    "indexed",
    "inputs_far_from_zero",
    "keeps_losses",
    "masked_encoder",
    "norm_without_affine",
    "norm_without_bias",
    "norm_without_statistics",
    "orthogonal",
    "siren",
    "spectral_normed",
    "spectral_normed_of_old",
    "symmetric",
    "weight_normed",
    "weight_normed_of_old",
    "without_elements",
}
"""Networks with hidden units that could go; methods that remove units refuse all others."""

_NONE_TO_REMOVE = "no hidden units to remove"
REFUSED: dict[tuple[str, str], str] = {
    **{(name, method): _NONE_TO_REMOVE for name in set(NETWORKS) - WITH_HIDDEN_UNITS for method in STRUCTURED},
    ("huge_inputs", "lcs"): "batch norm '3' sees numbers up to .* scale and shift the inputs",
    ("inputs_far_from_zero", "lcs"): "batch norm '2' sees numbers .* deviations from 0: .* scale and shift the inputs",
}
"""What a method cannot store, and the message with which it says so before anything is trained."""

_BLOCK = re.compile(r"<!-- tests/contract/taken.py -->\n\n(?:\|.*\n)*")


def with_table(text: str) -> str:
    """Return the page's ``text`` with the table as the tests have it."""
    rows = [("what a network has", "networks tried", "methods that refuse it"), ("---",) * 3]
    rows += [(what, str(len(names)), _missing(names) or "none") for what, names in KINDS.items()]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _BLOCK.sub(lambda _: f"<!-- tests/contract/taken.py -->\n\n{lines}", text)


def _missing(names: set[str]) -> str:
    """The methods that refuse any of these networks, and how many of them."""
    counts = {method: sum((name, method) in REFUSED for name in names) for method in sorted(METHODS)}
    return ", ".join(
        f"`{method}`" if count == len(names) else f"`{method}` ({count} of {len(names)})"
        for method, count in counts.items()
        if count
    )


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
