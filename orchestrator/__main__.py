"""``python -P -m orchestrator``: the command line, where a node has the packages and no script."""

from orchestrator.cli import main

main(prog_name="ratefront")
