"""Commands to Slurm, and what its answers mean; a script plays ``sbatch`` and the others."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from orchestrator.submission.base import State, SubmitError
from orchestrator.submission.slurm import Slurm
from tests.orchestrator.submission.samples import SUBMISSION, changed

INFRA = Path(__file__).parents[3] / "infra" / "slurm"


class Played:
    """``sbatch``, ``squeue``, ``sacct`` and ``scancel`` with prepared answers, which keep what they were asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("sbatch", "squeue", "sacct", "scancel"):
            program = folder / name
            program.write_text(
                "#!/bin/sh\n"
                f'printf "%s\\n" "{name}" "$@" "--" >>{shlex.quote(str(folder / "asked"))}\n'
                f'echo "DATA=$RATEFRONT_DATA" >>{shlex.quote(str(folder / "environment"))}\n'
                f"cat {shlex.quote(str(folder / name))}.says 2>/dev/null\n"
                f"cat {shlex.quote(str(folder / name))}.error >&2 2>/dev/null\n"
                f"exit $(cat {shlex.quote(str(folder / name))}.exit 2>/dev/null || echo 0)\n"
            )
            program.chmod(0o755)

    def says(self, name: str, text: str, code: int = 0, error: str = "") -> None:
        (self._folder / f"{name}.says").write_text(text)
        (self._folder / f"{name}.error").write_text(error)
        (self._folder / f"{name}.exit").write_text(str(code))

    def asked(self) -> list[list[str]]:
        text = (self._folder / "asked").read_text()
        return [call.splitlines() for call in text.split("--\n") if call]


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Played(folder)


def test_the_scripts_that_ship_are_those_that_are_submitted() -> None:
    assert (INFRA / "sweep.sbatch").read_text() == Slurm().script()
    assert (INFRA / "array.sbatch").read_text() == Slurm(array=16).script()


def test_settings_become_lines_of_the_script() -> None:
    slurm = Slurm(nodes=4, cpus_per_node=16, gpus_per_node=2, mem="64G", time="12:00:00", partition="p", account="a")
    head = slurm.script().partition("\n#\n")[0].splitlines()[:-1]
    assert head == [
        "#!/bin/sh",
        "#SBATCH --job-name=ratefront",
        "#SBATCH --nodes=4",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=16",
        "#SBATCH --gpus-per-node=2",
        "#SBATCH --mem=64G",
        "#SBATCH --time=12:00:00",
        "#SBATCH --partition=p",
        "#SBATCH --account=a",
        "#SBATCH --open-mode=append",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
    ]


def test_a_dry_run_shows_the_command_and_both_files_and_asks_nobody(played: Played) -> None:
    shown = Slurm().render(changed(env={"RATEFRONT_DATA": "/shared/my data"}))
    assert shown.splitlines()[0] == (
        "RATEFRONT_DATA='/shared/my data' sbatch --parsable --job-name=ratefront-my-sweep-v2-0a1b2c3d "
        f"--comment={changed(env={'RATEFRONT_DATA': '/shared/my data'}).fingerprint} "
        "--output=/shared/sweeps/submitted/My_sweep.v2-0a1b2c3d/%j.out "
        "/shared/sweeps/submitted/My_sweep.v2-0a1b2c3d/sweep.sbatch "
        "/shared/sweeps/submitted/My_sweep.v2-0a1b2c3d/sweep.yaml "
        "--storage /shared/sweeps --tracking-uri http://mlflow:5000 --json-lines"
    )
    assert Slurm().script() in shown
    assert SUBMISSION.sweep_file in shown
    with pytest.raises(FileNotFoundError):
        played.asked()


def test_a_submission_leaves_its_files_and_has_a_handle(played: Played, tmp_path: Path) -> None:
    played.says("sbatch", "42;cluster\n")
    submission = changed(storage=str(tmp_path), env={"RATEFRONT_DATA": "/d"})
    folder = tmp_path / "submitted" / SUBMISSION.sweep_id
    assert Slurm().submit(submission) == f"{folder}/42"
    assert (folder / "sweep.yaml").read_text() == SUBMISSION.sweep_file
    assert (folder / "sweep.sbatch").read_text() == Slurm().script()
    assert "DATA=/d" in (tmp_path / "bin" / "environment").read_text()


def test_an_array_is_followed_by_a_job_that_logs_it(played: Played, tmp_path: Path) -> None:
    played.says("sbatch", "7\n")
    handle = Slurm(array=4, partition="p").submit(changed(storage=str(tmp_path)))
    assert handle.endswith("/7+7")
    first, second = played.asked()
    folder = f"{tmp_path}/submitted/{SUBMISSION.sweep_id}"
    assert first[-6:] == [f"{folder}/sweep.sbatch", f"{folder}/sweep.yaml", "--storage", str(tmp_path), "--of", "4"]
    assert "--json-lines" not in first
    assert "--tracking-uri" not in first
    assert {"--partition=p", "--dependency=afterany:7"} <= set(second)
    assert second[-1].startswith(f"--wrap=ratefront sync {SUBMISSION.sweep_id} --storage {tmp_path}")


def test_an_array_that_nobody_would_log_is_taken_back(played: Played, tmp_path: Path) -> None:
    played.says("sbatch", "7\n")
    program = tmp_path / "bin" / "sbatch"
    program.write_text(program.read_text().replace("\nexit ", '\ncase "$*" in *afterany*) exit 1;; esac; exit '))
    with pytest.raises(SubmitError, match="sbatch"):
        Slurm(array=4).submit(changed(storage=str(tmp_path)))
    assert played.asked()[-1] == ["scancel", "7"]


def test_an_array_wants_trials_that_know_nothing_of_each_other(tmp_path: Path) -> None:
    with pytest.raises(SubmitError, match="wanted a search that is fixed in advance"):
        Slurm(array=4).render(changed(is_fixed=False))
    with pytest.raises(ValueError, match="nodes is 8 and array is 4: each job of an array has one node"):
        Slurm(array=4, nodes=8)


def test_nodes_share_a_folder_and_no_bucket() -> None:
    with pytest.raises(SubmitError, match="--storage is s3://bucket/sweeps: wanted a folder that all of Slurm's nodes"):
        Slurm().render(changed(storage="s3://bucket/sweeps"))


def test_own_modules_are_kept_as_they_are_now(played: Played, tmp_path: Path) -> None:
    played.says("sbatch", "42\n")
    Slurm().submit(changed(storage=str(tmp_path), own={"mine/net.py": b"1"}))
    own = tmp_path / "submitted" / SUBMISSION.sweep_id / "own"
    assert (own / "mine" / "net.py").read_bytes() == b"1"
    assert f"--chdir={own}" in played.asked()[0]


def test_a_refusal_is_one_line(played: Played, tmp_path: Path) -> None:
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition\nmore' >&2; exit 1\n")
    with pytest.raises(SubmitError, match=r"^sbatch: sbatch: error: invalid partition more$"):
        Slurm().submit(changed(storage=str(tmp_path)))


def test_without_slurm_it_says_where_to_submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SubmitError, match="squeue does not start: ask from a machine of the Slurm cluster"):
        Slurm().find(SUBMISSION)
    with pytest.raises(SubmitError, match="squeue does not start"):
        Slurm().status("/shared/42")


@pytest.mark.parametrize(
    ("queue", "accounts", "state"),
    [
        ("RUNNING\n", "", State.RUNNING),
        ("PENDING\n", "", State.WAITING),
        ("RUNNING\nPENDING\n", "", State.RUNNING),  # of an array
        ("COMPLETED\nPENDING\n", "", State.WAITING),
        ("COMPLETED\nFAILED\n", "", State.FAILED),
        ("TIMEOUT\n", "", State.FAILED),
        ("", "COMPLETED\n", State.FINISHED),
        ("", "CANCELLED by 1000\n", State.CANCELLED),
        ("", "OUT_OF_MEMORY\n", State.FAILED),
        ("", "", State.GONE),
    ],
)
def test_states_are_those_of_the_queue_and_then_of_the_accounts(
    played: Played, queue: str, accounts: str, state: State
) -> None:
    played.says("squeue", queue)
    played.says("sacct", accounts)
    assert Slurm().status("/shared/42+43") is state
    assert {"--jobs=42"} <= set(played.asked()[0])


def test_where_there_are_no_accounts_a_job_that_left_is_gone(played: Played) -> None:
    played.says("squeue", "", 1, "slurm_load_jobs error: Invalid job id specified")
    played.says("sacct", "", 1, "Slurm accounting storage is disabled")
    assert Slurm().status("/shared/42") is State.GONE
    played.says("squeue", "", 1, "slurm_load_jobs error: Unable to contact slurm controller")
    with pytest.raises(SubmitError, match="Unable to contact slurm controller"):  # it may well run
        Slurm().status("/shared/42")


def test_what_runs_is_found_with_its_folder(played: Played) -> None:
    assert Slurm().find(SUBMISSION) is None
    played.says("squeue", "".join(f"{number} {SUBMISSION.fingerprint}\n" for number in (42, 42, 43)))
    assert Slurm().find(SUBMISSION) == f"/shared/sweeps/submitted/{SUBMISSION.sweep_id}/42+43"
    assert "--name=ratefront-my-sweep-v2-0a1b2c3d" in played.asked()[0]
    with pytest.raises(SubmitError, match="is there already, with another storage"):
        Slurm().find(changed(storage="/elsewhere"))


def test_cancelling_ends_all_of_it(played: Played) -> None:
    Slurm().cancel("/shared/42+43")
    assert played.asked() == [["scancel", "42", "43"]]


def test_logs_are_whole_lines_of_all_files_and_the_rest_at_the_end(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "42_0.out").write_text("one\ntw")
    (tmp_path / "42_1.out").write_text("three\n")
    played.says("squeue", "RUNNING\n")

    def pass_by(seconds: float) -> None:
        with (tmp_path / "42_0.out").open("a") as stream:
            stream.write("o\nfour")
        played.says("squeue", "COMPLETED\n")

    monkeypatch.setattr("time.sleep", pass_by)
    assert list(Slurm().logs(f"{tmp_path}/42", follow=True)) == ["one", "three", "two", "four"]
    assert list(Slurm().logs(f"{tmp_path}/42", follow=False)) == ["one", "two", "four", "three"]


def test_settings_survive_a_record() -> None:
    slurm = Slurm(cpus_per_node=3, array=2)
    assert Slurm.model_validate(json.loads(json.dumps(slurm.model_dump()))) == slurm
