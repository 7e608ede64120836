"""Few-shot: how fast a sensor that was never seen is learned, with what other sensors taught and without."""

from typing import Any

from trunkline.rollout.report.analysis import interval_json
from trunkline.rollout.report.html import decimal_cell, escape, table
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.touch.cells import mean_of, read_cells
from trunkline.rollout.touch.few_shot import ARMS, FEW_SHOT_SCHEMA


@section("few_shot", order=45, episodes=False)
def few_shot(report: Report) -> Block | None:
    """One table a task: its metric on new trials, by samples of the new sensor."""
    path = report.run.folder / "touch" / "few_shot.parquet"
    if not path.is_file():
        return None
    rows = read_cells(path, FEW_SHOT_SCHEMA)
    sensor = rows[0]["sensor"]
    learned = sorted({row["learned"] for row in rows})
    parts = [
        f'<p class="note">The sensor {escape(sensor)} is new to the pretrained model. Both arms learn it from the same '
        "samples with the same budget: one starts from the pretrained trunk and heads with a fresh encoder, one from "
        "nothing. Each task’s metric on new trials, with 95% bootstrap intervals over trials and seeds.</p>"
    ]
    numbers: dict[str, Any] = {"sensor": sensor}
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        found = {
            (arm, count): mean_of([row for row in of_task if (row["arm"], row["learned"]) == (arm, count)])
            for arm in ARMS
            for count in learned
        }
        head = [escape(f"{task}: {of_task[0]['metric']}"), *(f"{count} samples" for count in learned), "Chance"]
        chance = f"{of_task[0]['chance']:.2f}"
        parts.append(
            table(
                head,
                [
                    [escape(label), *(decimal_cell(found[arm, count]) for count in learned), chance]
                    for arm, label in ARMS.items()
                ],
            )
        )
        numbers[task] = {arm: {str(count): interval_json(found[arm, count]) for count in learned} for arm in ARMS}
    return Block(f"Few-shot: {sensor}", "".join(parts), numbers)
