"""Where in one array the values of a network stand while it runs."""

from __future__ import annotations

from trainers.bundling.calls import Program


def places(program: Program) -> tuple[list[str], int]:
    """Give each value a place that nothing overwrites before its last reader.

    Returns:
        C expressions, one for each value, and how many floats the array has.
    """
    last = {value: index for index, call in enumerate(program.calls) for value in (*call.inputs, call.output)}
    last[program.result] = len(program.calls)
    starts: dict[int, int] = {}
    most = 0
    for index, call in enumerate(program.calls):
        if call.output in starts:  # a bias is added to what is there
            continue
        live = {value: start for value, start in starts.items() if last[value] >= index}
        reusable = [
            value
            for value in call.inputs
            if call.may_overwrite and value in live and last[value] == index
            and program.sizes[value] == program.sizes[call.output]
        ]  # fmt: skip
        starts[call.output] = live[reusable[0]] if reusable else _gap(live, program.sizes, program.sizes[call.output])
        most = max(most, starts[call.output] + program.sizes[call.output])
    return [f"values + {starts[value]}" if value in starts else "input" for value in range(len(program.sizes))], most


def _gap(live: dict[int, int], sizes: tuple[int, ...], size: int) -> int:
    """The first place where ``size`` floats are free."""
    start = 0
    for value in sorted(live, key=lambda value: live[value]):
        if live[value] - start >= size:
            break
        start = max(start, live[value] + sizes[value])
    return start
