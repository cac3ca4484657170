"""What ``--json-lines`` prints."""

from __future__ import annotations

import io
import json

from orchestrator.views.broadcast import Broadcast, beginning_of
from orchestrator.views.json_lines import JsonLinesView
from tests.orchestrator.views.samples import CONFIG, REPORT, TRIALS, board_of_four, finished


def test_json_lines_are_json_whatever_was_measured() -> None:
    board = board_of_four()
    stream = io.StringIO()
    broadcast = Broadcast(board, [JsonLinesView(stream)])
    with broadcast.shown(beginning_of(board)):
        broadcast.start(TRIALS[1], CONFIG)
        broadcast.report(TRIALS[1], REPORT)
        broadcast.end(TRIALS[1], finished(1))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "sweep_started",
        "trial_found",
        "trial_started",
        "report",
        "trial_ended",
    ]
    assert (lines[0]["num_trials"], lines[0]["num_ended"]) == (4, 1)
    assert (lines[1]["trial_id"], lines[1]["points"][0]["quality_val"]) == (TRIALS[0], 0.95)
    assert lines[2]["config"]["method"]["lam"] == 0.2
    assert (lines[3]["step"], lines[3]["train_loss"]) == (500, None)
    assert lines[4]["points"][0]["size_bytes"] == 1000
