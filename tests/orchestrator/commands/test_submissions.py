"""What a submitted sweep said, on this terminal."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import typer

from orchestrator.commands import submissions

LINES = ["\x1b[32mgreen\x1b[0m", "a\x1b]52;c;cm0gLXJm\x07b", "up\x1b[2A"]


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    """A submitted sweep that said these lines and is over."""
    job = SimpleNamespace(sweep_id="s-1", target="here", handle="1")
    state = SimpleNamespace(value="failed", is_over=True)
    submitter = SimpleNamespace(logs=lambda handle, follow: iter(LINES), status=lambda handle: state)
    monkeypatch.setattr("orchestrator.submission.jobs.find_job", lambda sweep: job)
    monkeypatch.setattr("orchestrator.submission.prepare.submitter_of", lambda job: submitter)


def test_logs_pass_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    """Colours are left out as well where the output is no terminal."""
    submissions.logs()
    shown = capsys.readouterr().out
    assert shown == "green\na\\x1b]52;c;cm0gLXJm\\x07b\nup\\x1b[2A\n"


def test_attach_shows_what_is_no_event_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        submissions.attach()
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "green\na\\x1b]52;c;cm0gLXJm\\x07b\nup\\x1b[2A\n" in shown
