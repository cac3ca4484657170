"""Networks of Hugging Face's transformers: what they take, that files rebuild them, and what is refused."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from orchestrator.cli import program
from orchestrator.sweep.definition import Sweep
from trainers.architectures import lookup_architecture
from trainers.architectures.base import build, build_on_meta
from trainers.architectures.transformers import CLASSIFIERS, LANGUAGE_MODELS
from trainers.compressed import load_compressed
from trainers.config import Spec, TrialConfig
from trainers.evaluate import evaluate
from trainers.instantiate import make_task
from trainers.model_folder import without_folder
from trainers.pretrained import initial_values, pin
from trainers.train import train

GPT2 = "transformers:GPT2LMHeadModel"
BERT = "transformers:BertForSequenceClassification"
SMALL: dict[str, Any] = {"vocab_size": 23, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16}
WIDE = {"intermediate_size": 32, "max_position_embeddings": 16}
FIELDS: dict[str, dict[str, Any]] = {
    "GPT2LMHeadModel": {"vocab_size": 23, "n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 16},
    "GPTNeoXForCausalLM": {**SMALL, **WIDE},
    "LlamaForCausalLM": {**SMALL, **WIDE, "head_dim": 8, "num_key_value_heads": 2},
    "MistralForCausalLM": {**SMALL, **WIDE, "head_dim": 8, "num_key_value_heads": 2},
    "Qwen2ForCausalLM": {**SMALL, **WIDE, "num_key_value_heads": 2},
    "AlbertForSequenceClassification": {**SMALL, **WIDE, "embedding_size": 8},
    "BertForSequenceClassification": {**SMALL, **WIDE},
    "DistilBertForSequenceClassification": {
        **{"vocab_size": 23, "n_layers": 2, "n_heads": 2, "dim": 16, "hidden_dim": 32},
        "max_position_embeddings": 16,
    },
    "RobertaForSequenceClassification": {**SMALL, **WIDE},
}


def network(name: str, **more: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    called = f"transformers:{name}"
    return build(called, lookup_architecture(called, allow_import=False), {**FIELDS[name], **more}).eval()


@pytest.fixture(autouse=True)
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_a_language_model_sees_the_tokens_before(name: str) -> None:
    model, tokens = network(name), torch.randint(23, (2, 6))
    changed = tokens.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 23
    outputs, others = model(tokens), model(changed)
    assert outputs.shape == (2, 6, 23)
    assert torch.allclose(outputs[:, :4], others[:, :4], atol=1e-5)
    assert not torch.isclose(outputs[:, 4:], others[:, 4:]).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_leaves_out_places_without_a_token(name: str) -> None:
    model, tokens = network(name, num_labels=3), torch.randint(23, (2, 6))
    outputs = model(tokens)
    assert outputs.shape == (2, 3)
    assert torch.allclose(model(torch.cat((tokens, torch.full((2, 4), 23)), dim=1)), outputs, atol=1e-5)
    assert model(torch.full((1, 4), 23)).isfinite().all()


def test_importing_ratefront_does_not_import_the_library() -> None:
    found = "import sys, trainers.compressed, trainers.train; assert 'transformers' not in sys.modules"
    subprocess.run([sys.executable, "-c", found], check=True)


def test_without_the_library_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"needs transformers.*pip install 'ratefront\[transformers\]'"):
        lookup_architecture(GPT2, allow_import=False)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        (GPT2, {"n_embd": 10**6, "n_layer": 12, "n_head": 1}, "it makes tensors of 3000041000000 values to be built"),
        (GPT2, {"n_layer": 10**9, "n_embd": 2, "n_head": 1}, "modules and parameters or more: wanted at most 16384"),
        (GPT2, {"n_embd": 10**12}, "n_embd is 1000000000000: wanted numbers of at most"),
        (GPT2, {"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon is nan: wanted numbers"),
        (GPT2, {"n_embd": {"a": [1]}}, "cannot be built with"),
        (GPT2, {"auto_map": {"AutoModel": "x.Y"}}, "GPT2Config has no field 'auto_map'"),
        (GPT2, {"_attn_implementation": "hub/kernel"}, "has no field '_attn_implementation'"),
        (GPT2, {"quantization_config": {"bits": 4}}, "has no field 'quantization_config'"),
        (GPT2, {"folder": "elsewhere"}, "has no field 'folder'"),
        (GPT2, {"num_outputs": 9}, "vocab_size is 23 and the task has 9 tokens"),
        (GPT2, {"context": 99}, "the task's context is 99, and the network has 16 positions"),
    ],
)
def test_fields_that_a_file_may_not_have_are_refused_before_memory_is_taken(
    name: str, fields: dict[str, Any], said: str
) -> None:
    arguments = {**FIELDS["GPT2LMHeadModel"], **fields}
    with pytest.raises(ValueError) as caught:
        build_on_meta(name, lookup_architecture(name, allow_import=False), arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def folder_of(name: str, folder: Path, **more: Any) -> Path:
    """A folder as the library writes it, in shards."""
    import transformers

    own = getattr(transformers, name)
    own(network(name, **more).config).save_pretrained(folder, max_shard_size="20kB")
    return folder


def spec_of(name: str, folder: Path) -> Spec:
    return without_folder(Spec(name=f"transformers:{name}", arguments={"folder": str(folder)}))


@pytest.mark.parametrize("method", [{"name": "ecq", "steps": [0.01]}, {"name": "epr", "lam": 0.1}])
def test_a_folder_is_trained_on_and_its_file_alone_is_measured(method: dict[str, Any], tmp_path: Path) -> None:
    folder = folder_of("GPT2LMHeadModel", tmp_path / "net", vocab_size=256)
    (tmp_path / "text.txt").write_text("the cat sat on the mat, and the dog sat on the log. " * 8)
    spec = spec_of("GPT2LMHeadModel", folder)
    assert spec.arguments == {**FIELDS["GPT2LMHeadModel"], "vocab_size": 256}
    config = TrialConfig.from_dict(
        {
            "task": {"name": "text", "file": str(tmp_path / "text.txt"), "vocabulary": "bytes", "context": 8},
            "architecture": {"name": spec.name, **spec.arguments},
            "method": method,
            "init_from": str(folder),
            "steps": 2,
            "batch_size": 8,
        }
    )
    (point,) = train(config, lambda progress: None, tmp_path / "trial")
    task = make_task(config.task)
    decoded = load_compressed(point.path)
    assert evaluate(decoded, task.test, task) == pytest.approx(point.quality, abs=1e-5)
    state = decoded.state_dict(keep_vars=True)
    assert state["lm_head.weight"] is state["transformer.wte.weight"]
    assert str(tmp_path).encode() not in Path(point.path).read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"auto_map": {"AutoModel": "code.Net"}}, "has auto_map, which asks for code"),
        ({"quantization_config": {"quant_method": "x"}}, "has quantization_config, which asks for code or tensors"),
        ({"model_type": "mamba"}, "is of model_type 'mamba'"),
        ({"model_type": "gpt2"}, "wanted transformers:GPT2LMHeadModel"),
        ({"is_decoder": True}, "says is_decoder"),
        ("{", "cannot be read"),
        ("[1]", "it is a list"),
        ('{"vocab_size": NaN}', "it has NaN, which is no number"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_configuration_that_is_not_plain_is_refused_in_one_line(change: Any, said: str, tmp_path: Path) -> None:
    content = change if isinstance(change, str) else json.dumps({"model_type": "bert", **change})
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError) as caught:
        spec_of("BertForSequenceClassification", tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_configuration_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text('{"model_type": "bert"}')
    (tmp_path / "net").mkdir()
    (tmp_path / "net/config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ValueError, match="links out of its folder"):
        spec_of("BertForSequenceClassification", tmp_path / "net")


@pytest.mark.parametrize("name", ["GPT2LMHeadModel", "BertForSequenceClassification"])
def test_the_page_s_commands_compress_a_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[3] / "docs/language.md"
    (command,) = (line for line in page.read_text().splitlines() if f"transformers:{name}, folder" in line)
    given = shlex.split(command)
    more = {"vocab_size": 256, "n_positions": 32} if name in LANGUAGE_MODELS else {"num_labels": 3}
    folder_of(name, tmp_path / given[2], **more)
    Path("letters.txt").write_text("the cat sat on the mat, and the dog sat on the log. " * 20)
    np.savez("tokens.npz", tokens=np.random.default_rng(0).integers(0, 23, (16, 8)))
    done = CliRunner().invoke(program, given[1:])
    assert done.exit_code == 0, done.output
    load_compressed(given[-1])


def test_a_sweep_has_the_folder_s_fields_and_not_its_path(tmp_path: Path) -> None:
    folder = folder_of("GPT2LMHeadModel", tmp_path / "net", vocab_size=256)
    given = {"task": "text", "architecture": {"name": GPT2, "folder": str(folder)}, "method": {"name": "epr", "lam": 1}}
    sweep = Sweep.from_dict({**given, "steps": 2})
    assert "folder" not in str(sweep.to_dict()["architecture"])
    assert Sweep.from_dict(sweep.to_dict()) == sweep


def test_a_folder_s_weights_are_held_to_their_content_and_to_the_folder(tmp_path: Path) -> None:
    folder = folder_of("GPT2LMHeadModel", tmp_path / "net")
    index = folder / "model.safetensors.index.json"
    assert index.exists(), "the library wrote shards"
    held = pin(str(folder))
    assert set(initial_values(held, network("GPT2LMHeadModel"))) == set(network("GPT2LMHeadModel").state_dict())
    shard = sorted(folder.glob("*.safetensors"))[0]
    shard.rename(tmp_path / shard.name)
    shard.symlink_to(tmp_path / shard.name)
    with pytest.raises(ValueError, match="links out of its folder"):
        pin(str(folder))
    index.write_text(index.read_text().replace(shard.name, f"../{shard.name}"))
    with pytest.raises(ValueError, match="wanted files of safetensors"):
        pin(str(folder))
