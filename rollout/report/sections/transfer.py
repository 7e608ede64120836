"""The transfer tables: arms by axes and arms by tasks, success, progress and normalised score."""

from collections.abc import Callable
from typing import Any

from trunkline.rollout.report import arms
from trunkline.rollout.report.analysis import interval_json
from trunkline.rollout.report.html import cell, decimal_cell, details, escape, percent, swatch, table, task_name
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.statistics import Interval


@section("transfer", order=30)
def transfer(report: Report) -> Block:
    """Success by axis in full, the rest folded away."""
    analysis, results = report.analysis, report.run.results
    numbers: dict[str, Any] = {}
    for arm in results.arms:
        numbers[arm] = {axis: _numbers(report, arm, axis) for axis in results.axes if results.cells_of(arm, axis)}
    by_axis = _by_axis(report, lambda arm, axis: _success(report, arm, axis))
    parts = [f'<p class="note">Success: mean over tasks and seeds [95% interval], and interquartile mean.</p>{by_axis}']
    for axis in results.axes:
        tasks = [task for task in results.tasks if any((task, axis) == c for _, c in results.cells)]
        rows = [
            [swatch(arm), *(cell(analysis.estimate(arm, axis, task), _iqm(report, arm, axis, task)) for task in tasks)]
            for arm in results.arms
        ]
        of_axis = table(["", *map(task_name, tasks)], rows)
        parts.append(details(f"By task: {arms.axis(axis).title.lower()}", of_axis, opened=axis == results.axes[0]))
    progress = _by_axis(report, lambda arm, axis: cell(analysis.estimate(arm, axis, metric="progress")))
    parts.append(
        details("Progress towards the goal", f'<p class="note">Mean of the progress at the end.</p>{progress}')
    )
    if any(analysis.normalised(arm, axis) for arm in results.arms for axis in results.axes):
        normalised = _by_axis(report, lambda arm, axis: decimal_cell(analysis.normalised(arm, axis)))
        note = (
            "Success with random at 0 and the scripted expert at 1, task by task, then averaged; tasks where the "
            "expert is not clearly better than random are left out."
        )
        parts.append(details("Normalised score", f'<p class="note">{note}</p>{normalised}', opened=True))
    return Block("Transfer", "".join(parts), numbers)


def _by_axis(report: Report, value: Callable[[str, str], str]) -> str:
    results = report.run.results
    head = ["", *(escape(arms.axis(axis).title) for axis in results.axes)]
    return table(head, [[swatch(arm), *(value(arm, axis) for axis in results.axes)] for arm in results.arms])


def _success(report: Report, arm: str, axis: str) -> str:
    """Mean and IQM; where an arm lacks tasks of the axis the cell says so."""
    results = report.run.results
    has = len(results.cells_of(arm, axis))
    every = len({c for _, c in results.cells if c[1] == axis})
    note = f" · {has} of {every} tasks" if 0 < has < every else ""
    iqm = report.analysis.estimate(arm, axis, statistic="iqm")
    return cell(report.analysis.estimate(arm, axis), f"IQM {percent(iqm)}{note}" if iqm else "")


def _iqm(report: Report, arm: str, axis: str, task: str) -> str:
    """The IQM of a single task, where there are seeds enough to differ from the mean."""
    iqm = report.analysis.estimate(arm, axis, task, statistic="iqm")
    return f"IQM {percent(iqm)}" if iqm and len(report.run.results.seeds(arm)) >= 4 else ""


def _numbers(report: Report, arm: str, axis: str) -> dict[str, Any]:
    analysis = report.analysis

    def both(task: str | None, metric: str) -> dict[str, Any]:
        return {s: interval_json(analysis.estimate(arm, axis, task, metric, s)) for s in ("mean", "iqm")}

    normalised: dict[str, Interval | None] = {s: analysis.normalised(arm, axis, s) for s in ("mean", "iqm")}
    return {
        "success": both(None, "success"),
        "progress": both(None, "progress"),
        "normalised": {name: interval_json(value) for name, value in normalised.items()},
        "tasks": {task: both(task, "success") for task, _ in report.run.results.cells_of(arm, axis)},
    }
