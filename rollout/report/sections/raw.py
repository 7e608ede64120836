"""Every cell's raw numbers: arm, task, axis, seed."""

from typing import Any

import numpy as np

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import MISSING, details, escape, percent, table
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.statistics import wilson

HEAD = ["Arm", "Task", "Axis", "Seed", "Solved", "Rate, 95% (Wilson)", "Progress", "Steps", "Return", "Lost"]


@section("raw", order=90)
def raw(report: Report) -> Block:
    """One row a cell and seed, folded away."""
    results = report.run.results
    rows, numbers = [], []
    for arm in results.arms:
        for cell in results.cells_of(arm):
            columns = results.rows(arm, cell)
            for seed in sorted(set(columns["train_seed"].tolist())):
                one = summary({name: column[columns["train_seed"] == seed] for name, column in columns.items()})
                numbers.append({"arm": arm, "task": cell[0], "axis": cell[1], "seed": int(seed), **one})
                rows.append(
                    [
                        escape(arms.arm(arm).label),
                        escape(cell[0]),
                        escape(arms.axis(cell[1]).title),
                        f"{seed:.0f}",
                        f"{one['successes']:.0f} of {one['episodes']}",
                        percent(wilson(one["successes"], one["episodes"])) if one["episodes"] else MISSING,
                        *(MISSING if one[n] is None else f"{one[n]:.2f}" for n in ("progress", "steps", "return")),
                        str(one["lost"]),
                    ]
                )
    opened = details(f"Show {len(rows)} cells", table(HEAD, rows, "raw"))
    note = (
        "Steps are of solved episodes; progress and return of all. The rows of single episodes are in results.parquet."
    )
    return Block("Raw cells", f'<p class="note">{note}</p>{opened}', {"cells": numbers})


def summary(columns: dict[str, np.ndarray]) -> dict[str, Any]:
    """Counts and means of one cell and seed; None where there is nothing to average."""
    kept = ~columns["lost"]
    solved = kept & (columns["success"] > 0)

    def average(name: str, where: np.ndarray) -> float | None:
        return float(columns[name][where].mean()) if where.any() else None

    return {
        "episodes": int(kept.sum()),
        "successes": int(solved.sum()),
        "progress": average("progress", kept),
        "steps": average("steps", solved),
        "return": average("return", kept),
        "lost": int(columns["lost"].sum()),
    }
