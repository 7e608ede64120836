"""Arm against arm: the difference in success and the probability of improvement."""

from dataclasses import asdict
from typing import Any

from trunkline.rollout.report import arms
from trunkline.rollout.report.analysis import COMPARISONS
from trunkline.rollout.report.html import details, escape, percent, table, verdict_cell
from trunkline.rollout.report.registry import Block, Report, section

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
    note = (
        "“Better” and “worse” mean that the 95% interval of the difference leaves out zero. The probability of "
        "improvement is that a training run of the first scores higher on a task than one of the second "
        "(Agarwal et al., 2021); 50% is even."
    )
    return Block("Arm against arm", f'<p class="note">{note}</p>{"".join(parts)}', numbers)
