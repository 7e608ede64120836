"""Touch: which (sensor, task) pairs transfer without training, as a heat map; and beside it what else could be done."""

import base64
from collections.abc import Sequence
from typing import Any

from trunkline.rollout.report.analysis import interval_json
from trunkline.rollout.report.html import MISSING, decimal_cell, details, escape, table
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.statistics import Interval
from trunkline.rollout.touch.cells import ARMS, Matrix, read_cells

Cells = Sequence[tuple[str, str]]


@section("touch_headline", order=1, episodes=False)
def headline(report: Report) -> Block | None:
    """The page's title, for a run that is about touch alone."""
    matrix = _matrix(report)
    if matrix is None or not matrix.held_out or report.run.results.episodes:
        return None
    sentence = _sentence(matrix)
    return Block("", f"<h1>{escape(sentence)}</h1>", {"sentence": sentence})


@section("touch", order=45, episodes=False)
def touch(report: Report) -> Block | None:
    """The matrix of sensors and tasks, its baselines, and a look at the contacts."""
    matrix = _matrix(report)
    if matrix is None or not matrix.held_out:  # a run may train a T3 for another part alone
        return None
    cells = matrix.held_out
    lead = f'<p class="lead">{escape(_sentence(matrix))}</p>' if report.run.results.episodes else ""
    parts = [
        lead,
        '<p class="note">Every cell is one task with one sensor: 0 is what knowing nothing reaches, 1 what the same '
        "model reaches when it is trained on that pair too. Framed cells were never trained on: the sensor was seen "
        "with other tasks (or without labels), the task with other sensors. "
        f"{len(matrix.seeds)} training seed{'s' if len(matrix.seeds) > 1 else ''}; test trials are new.</p>",
        _heat_map(matrix),
        "<h3>Pairs that were never trained on</h3>",
        '<p class="note">Mean of the normalised scores, with 95% bootstrap intervals over trials and seeds. The '
        "nearest single-sensor model is the one that does best on that very cell in validation. Without trunk sharing, "
        "a sensor’s own encoder and trunk meet the head of another sensor’s model.</p>",
        _means(matrix, cells),
        details(f"Show the {len(cells)} pairs", _pairs(matrix, cells)),
    ]
    picture = report.run.folder / "touch" / "contacts.png"
    if picture.is_file():
        data = base64.b64encode(picture.read_bytes()).decode()
        names = ", ".join(escape(sensor) for sensor in matrix.sensors)
        parts.append(
            f'<h3>One contact through many sensors</h3><figure><img src="data:image/png;base64,{data}" '
            f'alt="Contacts, a row each, felt by {names}" style="max-width:100%;image-rendering:pixelated">'
            f"<figcaption>A row a contact. Left to right: {names}.</figcaption></figure>"
        )
    return Block("Touch: sensors × tasks", "".join(parts), _numbers(matrix, cells))


def _matrix(report: Report) -> Matrix | None:
    path = report.run.folder / "touch" / "cells.parquet"
    return Matrix(read_cells(path)) if path.is_file() else None


def _sentence(matrix: Matrix) -> str:
    mean = matrix.mean_normalised("transfer", matrix.held_out)
    if mean is None:
        return "No pair of sensor and task was held out, or none can be learned at all."
    scored = [cell for cell in matrix.held_out if matrix.normalised("transfer", *cell)]
    return (
        f"On {len(scored)} pairs of sensor and task that it never trained on, the shared trunk reaches "
        f"{_plain(mean)} of what training on them reaches (chance is 0)."
    )


def _plain(interval: Interval) -> str:
    return f"{interval.value:.0%} [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def _heat_map(matrix: Matrix) -> str:
    head = "".join(f"<th>{escape(task)}</th>" for task in matrix.tasks)
    rows = []
    for sensor in matrix.sensors:
        cells = "".join(_heat(matrix, sensor, task) for task in matrix.tasks)
        rows.append(f"<tr><th>{escape(sensor)}</th>{cells}</tr>")
    return (
        '<div class="scroll"><table style="border-spacing:2px;border-collapse:separate"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _heat(matrix: Matrix, sensor: str, task: str) -> str:
    score = matrix.normalised("transfer", sensor, task)
    frame = "outline:2px solid var(--ink);outline-offset:-2px;" if (sensor, task) in matrix.held_out else ""
    if score is None:
        return f'<td style="{frame}">{MISSING}</td>'
    share = min(max(score.value, 0.0), 1.0)
    # Light enough below for dark ink on a light page, and light ink on a dark one.
    colour = f"color-mix(in oklab, var(--arm-pretrained-rl, #0b62b0) {60 * share:.0f}%, transparent)"
    title = "; ".join(
        f"{label}: {value.value:.2f}" for arm, label in ARMS.items() if (value := matrix.value(arm, sensor, task))
    )
    return (
        f'<td style="background:{colour};{frame}padding:6px 12px;text-align:right" title="{escape(title)}; chance: '
        f'{matrix.chance(sensor, task) or 0:.2f}">{score.value:.2f}</td>'
    )


def _means(matrix: Matrix, cells: Cells) -> str:
    rows = []
    for arm in matrix.arms:
        mine = [cell for cell in cells if matrix.normalised(arm, *cell)]
        both = [cell for cell in mine if matrix.normalised("transfer", *cell)]
        rows.append(
            [
                escape(ARMS[arm]),
                decimal_cell(matrix.mean_normalised(arm, mine)),
                f"{len(mine)} of {len(cells)}",
                decimal_cell(matrix.mean_normalised("transfer", both)),
            ]
        )
    return table(["", "Normalised score", "Pairs it can be asked", "Shared trunk on the same pairs"], rows)


def _pairs(matrix: Matrix, cells: Cells) -> str:
    head = ["Sensor", "Task", "Chance", *(escape(ARMS[arm]) for arm in matrix.arms), "Normalised"]
    rows = [
        [
            escape(sensor),
            escape(task),
            f"{matrix.chance(sensor, task) or 0:.2f}",
            *(decimal_cell(matrix.value(arm, sensor, task)) for arm in matrix.arms),
            decimal_cell(matrix.normalised("transfer", sensor, task)),
        ]
        for sensor, task in cells
    ]
    return table(head, rows)


def _numbers(matrix: Matrix, cells: Cells) -> dict[str, Any]:
    return {
        "held_out": {arm: interval_json(matrix.mean_normalised(arm, cells)) for arm in matrix.arms},
        "cells": [
            {
                "sensor": sensor,
                "task": task,
                "held_out": (sensor, task) in matrix.held_out,
                "chance": matrix.chance(sensor, task),
                **{arm: interval_json(matrix.value(arm, sensor, task)) for arm in matrix.arms},
                "normalised": interval_json(matrix.normalised("transfer", sensor, task)),
            }
            for sensor in matrix.sensors
            for task in matrix.tasks
        ],
    }
