"""Networks of Hugging Face's transformers, as ``transformers:CLASS``, where that library is installed."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainers import checks
from trainers.architectures.base import Architecture
from trainers.architectures.metered import check_numbers, metered
from trainers.echo import echo
from trainers.lookup import TRANSFORMERS, one_line
from trainers.nearest import nearest
from trainers.pieces import check_tokens

LANGUAGE_MODELS = {
    "GPT2LMHeadModel": "gpt2",
    "GPTNeoXForCausalLM": "gpt_neox",
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
}
CLASSIFIERS = {
    "AlbertForSequenceClassification": "albert",
    "BertForSequenceClassification": "bert",
    "DistilBertForSequenceClassification": "distilbert",
    "RobertaForSequenceClassification": "roberta",
}
MODEL_TYPES = {**LANGUAGE_MODELS, **CLASSIFIERS}
"""What ``config.json`` calls each class that may be built."""
CONFIGS = {
    "albert": "AlbertConfig",
    "bert": "BertConfig",
    "distilbert": "DistilBertConfig",
    "gpt2": "GPT2Config",
    "gpt_neox": "GPTNeoXConfig",
    "llama": "LlamaConfig",
    "mistral": "MistralConfig",
    "qwen2": "Qwen2Config",
    "roberta": "RobertaConfig",
}
_NOT_OF_THE_NETWORK = ("bos_token_id", "eos_token_id", "is_decoder", "model_type", "use_cache", "add_cross_attention")
"""Fields of a class's own that change nothing here: they are for generating text, and for decoders of other texts."""
_MOST = 1 << 31
"""The largest number among a configuration's fields."""


def transformers_architecture(name: str) -> Architecture:
    """Return the function of keyword arguments behind ``transformers:CLASS``, such as ``transformers:GPT2LMHeadModel``.

    Its arguments are the fields of the class's configuration, plain data that may come from a file: fields of another
    name are refused, so none can name code, kernels or files, and what the network is built of has a limit
    (``metered.py``). Nothing is looked up in the network; trained values come from ``init_from``. ``vocab_size`` is the
    task's number of tokens, and ``num_labels`` that of its classes.

    A language model takes tokens (batch, length), int64, and returns logits (batch, length, tokens). A classifier
    returns (batch, classes); its texts that are shorter end in the number ``vocab_size``, which is not attended to.

    References:
        Wolf et al. 2020, "Transformers: State-of-the-Art Natural Language Processing", EMNLP.

    Raises:
        ValueError: transformers is not installed, or the class is none of ``MODEL_TYPES``.
    """
    called = name.removeprefix(TRANSFORMERS)
    if called not in MODEL_TYPES:
        raise ValueError(
            f"architecture {echo(name)}: wanted transformers:CLASS{nearest(called, MODEL_TYPES)}; there are "
            f"{', '.join(MODEL_TYPES)}"
        )
    library = load(name)
    kind, config_kind = getattr(library, called), getattr(library, CONFIGS[MODEL_TYPES[called]])

    if called in LANGUAGE_MODELS:

        def language_model(
            *, num_outputs: int = 0, context: int = 0, characters: str = "", pieces: str = "", **fields: Any
        ) -> nn.Module:
            size = _agreed("vocab_size", fields, num_outputs, "tokens")
            check_tokens(size, characters=characters, pieces=pieces)
            return _built(_LanguageModel, kind, _config(config_kind, {**fields, "vocab_size": size}, context))

        return language_model

    def classifier(
        *,
        num_outputs: int = 0,
        num_tokens: int = 0,
        context: int = 0,
        characters: str = "",
        pieces: str = "",
        **fields: Any,
    ) -> nn.Module:
        size = _agreed("vocab_size", fields, num_tokens, "tokens")
        labels = _agreed("num_labels", fields, num_outputs, "classes")
        check_tokens(size, characters=characters, pieces=pieces)
        config = _config(config_kind, {**fields, "vocab_size": size, "num_labels": labels}, context)
        return _built(_Classifier, kind, config)

    return classifier


def load(name: str) -> Any:
    """Import the library, which then looks nothing up in the network.

    Raises:
        ValueError: it cannot be imported.
    """
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    try:
        return importlib.import_module("transformers")
    except Exception as error:  # it may be installed and not fit this torch
        raise ValueError(
            f"architecture {echo(name)} needs transformers, which cannot be imported ({one_line(error)}): "
            "pip install 'ratefront[transformers]'"
        ) from error


def known_fields(config_kind: Any) -> dict[str, Any]:
    """The fields of a class of configurations that make a network, with their defaults."""
    base = importlib.import_module("transformers").PreTrainedConfig().to_dict()
    own = config_kind().to_dict()
    return {key: value for key, value in own.items() if key not in base and key not in _NOT_OF_THE_NETWORK}


def _agreed(field: str, fields: Mapping[str, Any], of_task: int, what: str) -> int:
    """The number that a configuration and a task agree on.

    Raises:
        ValueError: they do not, or neither says it.
    """
    given = fields.get(field, of_task)
    checks.integer(field, given, low=1, high=1 << 20)
    if of_task not in (0, given):
        raise ValueError(
            f"{field} is {given} and the task has {of_task} {what}: wanted a task of as many, or {field}: {of_task} "
            "and a training from random values"
        )
    return int(given)


def _config(kind: Any, fields: Mapping[str, Any], context: int) -> Any:
    known = known_fields(kind)
    for key, value in fields.items():
        if key not in known and key != "num_labels":
            raise ValueError(f"{kind.__name__} has no field {echo(key)}{nearest(key, known)}")
        check_numbers(key, value, most=_MOST)
    with _quiet():
        config = kind(**fields, bos_token_id=None, eos_token_id=None)
    config._attn_implementation = "sdpa"
    config.use_cache = False
    if context > (most := config.max_position_embeddings):
        raise ValueError(
            f"the task's context is {context}, and the network has {most} positions: wanted at most as many"
        )
    return config


def _built(adapter: type[nn.Module], kind: Any, config: Any) -> nn.Module:
    """The network, whose tensors have the names that the library gives them."""
    with metered(), _quiet():
        network: nn.Module = type(kind.__name__, (adapter, kind), {})(config)
    return network


class _LanguageModel(nn.Module):
    """Before a class of the library: tokens in, logits out."""

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = super().forward(input_ids=tokens, use_cache=False).logits
        return logits


class _Classifier(nn.Module):
    """Likewise; places without a token are not attended to."""

    config: Any

    def forward(self, tokens: Tensor) -> Tensor:
        size = self.config.vocab_size
        is_token = tokens != size
        is_attended = torch.nn.functional.pad(is_token[:, 1:], (1, 0), value=True)  # a softmax over nothing is NaN
        given = {"input_ids": tokens.clamp_max(size - 1), "attention_mask": is_attended.long()}
        if self.config.model_type == "roberta":  # which would count tokens of its padding's number as places without
            first = self.config.pad_token_id + 1
            given["position_ids"] = torch.arange(first, first + tokens.shape[1], device=tokens.device)[None]
        logits: Tensor = super().forward(**given).logits
        return logits


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from printing advice about generating text."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
