"""What ``init_from`` may say, its shortest form, and what identifies it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trainers.trials import configuration
from trainers.config import TrialConfig
from trainers.sources import Source, fused_parts, values_identity

DIGEST = "sha256=" + "0" * 64


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ""),
        ("net.pt", "net.pt"),
        ({"path": "net.pt"}, "net.pt"),
        ({"path": "net.pt", "key": "", "strict": True}, "net.pt"),
        ({"strict": False, "path": "net.pt"}, {"path": "net.pt", "strict": False}),
        ({"key": "ema", "path": "net.pt"}, {"path": "net.pt", "key": "ema"}),
        ({"path": "fusion(a.pt, b.pt)"}, "fusion(a.pt, b.pt)"),
        ({"path": "net.pt", "ignore": []}, "net.pt"),
        ({"path": "net.pt", "ignore": "loss_*"}, {"path": "net.pt", "ignore": ["loss_*"]}),
    ],
)
def test_what_means_the_same_has_one_form(given: Any, wanted: Any) -> None:
    source = Source.from_dict(given)
    assert source.to_dict() == wanted
    assert Source.from_dict(source.to_dict()) == source


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            3,
            "init_from is 3: wanted the path of a state_dict, or a trained network's name, or a mapping such as {path",
        ),
        (["net.pt"], "init_from is ['net.pt']: wanted the path of a state_dict"),
        ({}, "init_from.path is '': wanted the path of a state_dict, or a trained network's name"),
        ({"path": 3}, "init_from.path is 3: wanted"),
        ({"path": "net.pt", "srtict": False}, "init_from has no 'srtict'; did you mean 'strict'?"),
        ({"path": "net.pt", "strict": "no"}, "init_from.strict is 'no': wanted true or false"),
        ({"path": "net.pt", "key": 3}, "init_from.key is 3: wanted the name of an entry of the file, as text"),
        ({"path": "fusion(a.pt, b.pt)", "strict": False}, "fusion(a.pt, b.pt) takes whole networks: wanted no key"),
        ({"path": "fusion(a.pt, b.pt)", "ignore": "x"}, "wanted no key, nothing to ignore, and strict: true"),
        ({"path": "net.pt", "ignore": [3]}, "init_from.ignore is [3]: wanted patterns of names in the file"),
        ({"path": "fusion(a.pt)"}, "init_from is 'fusion(a.pt)': wanted fusion(A, B)"),
    ],
)
def test_a_mistake_is_one_line(given: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        Source.from_dict(given)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_person_reads_the_path_without_its_digest_and_what_is_taken() -> None:
    source = Source.from_dict({"path": f"net.pt#{DIGEST}", "key": "ema", "strict": False, "ignore": ["x*"]})
    assert str(source) == "net.pt (key ema, not strict, without x*)"
    assert str(Source(path="net.pt")) == "net.pt"


def test_content_identifies_a_file_and_so_does_what_is_taken_of_it() -> None:
    assert values_identity({"path": f"/a/net.pt#{DIGEST}", "key": "ema"}) == {"path": "0" * 64, "key": "ema"}
    assert values_identity(f"fusion(/a/net.pt#{DIGEST}, b)") == f"fusion({'0' * 64}, b)"
    assert values_identity(0.5) == 0.5
    assert fused_parts("fusion(a.pt, b.pt)") == ["a.pt", "b.pt"]


def test_a_trial_is_the_same_however_its_source_is_written() -> None:
    def config(init_from: Any) -> TrialConfig:
        return configuration("ptq", init_from=init_from)

    plain, mapped = config("net.pt"), config({"path": "net.pt", "strict": True})
    assert mapped.to_dict() == plain.to_dict()
    assert mapped.config_hash == plain.config_hash
    pinned = [config({"path": f"/{folder}/net.pt#{DIGEST}", "strict": False}) for folder in ("a", "b")]
    assert pinned[0].config_hash == pinned[1].config_hash
    assert TrialConfig.from_dict(pinned[0].to_dict()) == pinned[0]
    others = [config(f"/a/net.pt#{DIGEST}"), config({"path": f"/a/net.pt#{DIGEST}", "key": "ema"})]
    assert len({one.config_hash for one in [plain, pinned[0], *others]}) == 4


def test_the_hash_of_a_text_stays() -> None:
    """Records in the world hold it."""
    assert configuration("uncompressed", init_from="resnet20_cifar10").config_hash == "2cdd4fa54fd0"
