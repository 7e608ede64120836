"""Arm against arm: the difference in success and the probability of improvement."""

from dataclasses import asdict
from typing import Any

from trunkline.rollout.report import arms
from trunkline.rollout.report.analysis import COMPARISONS, interval_json
from trunkline.rollout.report.html import details, escape, percent, table, task_name, times_cell, verdict_cell
from trunkline.rollout.report.registry import Block, Report, section

_RL, _IMITATION = "pretrained_rl", "imitation"
HEAD = ["", "The first is", "Probability of improvement"]


@section("comparisons", order=40)
def comparisons(report: Report) -> Block | None:
    """One table an axis."""
    numbers: dict[str, Any] = {}
    parts: list[str] = []
    for axis in report.run.results.axes:
        rows = []
        for a, b, about in COMPARISONS:
            found = report.analysis.compare(a, b, axis)
            if found is None:
                continue
            numbers.setdefault(axis, {})[f"{a} vs {b}"] = asdict(found)
            names = f"{arms.arm(a).label} vs {arms.arm(b).label}"
            what = f'{escape(about)}<span class="second">{escape(names)}</span>'
            rows.append([what, verdict_cell(found.verdict, found.gap), percent(found.probability)])
        if rows:
            title = arms.axis(axis).title
            parts.append(details(title, table(HEAD, rows), opened=not parts))
    if not parts:
        return None
    times = _times(report, numbers)
    if times:
        parts.append(details("RL beside imitation, task by task", times))
    note = (
        "“Better” and “worse” mean that the 95% interval of the difference leaves out zero. The probability of "
        "improvement is that a training run of the first scores higher on a task than one of the second "
        "(Agarwal et al., 2021); 50% is even."
    )
    return Block("Arm against arm", f'<p class="note">{note}</p>{"".join(parts)}', numbers)


def _times(report: Report, numbers: dict[str, Any]) -> str:
    """How many times as often RL solves each task as the imitation that it starts from; empty if one was not run."""
    results = report.run.results
    rows = []
    for task in results.tasks:
        found = {axis: report.analysis.times(_RL, _IMITATION, axis, task) for axis in results.axes}
        if any(found.values()):
            rows.append([task_name(task), *map(times_cell, found.values())])
            numbers.setdefault("times", {})[task] = {axis: interval_json(i) for axis, i in found.items() if i}
    if not rows:
        return ""
    names = f"{arms.arm(_RL).label} over {arms.arm(_IMITATION).label}"
    return f'<p class="note">{escape(names)}: success rates divided.</p>' + table(
        ["", *(arms.axis(axis).title for axis in results.axes)], rows
    )
