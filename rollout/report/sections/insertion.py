"""Insertion: what a pretrained sense of touch is worth to a policy that acts on it."""

from typing import Any

from trunkline.rollout.insertion.config import ARMS
from trunkline.rollout.insertion.results import InsertionResults
from trunkline.rollout.report.analysis import interval_json
from trunkline.rollout.report.html import cell, escape, points, table
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.statistics import verdict

_LABELS = {**ARMS, "expert": "Scripted expert, which knows everything", "random": "Random actions"}
_STAGES = {"imitation": "after imitation", "rl": "after imitation and RL"}


@section("insertion_headline", order=2, episodes=False)
def headline(report: Report) -> Block | None:
    """The page's title, for a run that is about insertion alone."""
    results = _results(report)
    if results is None or report.run.results.episodes:
        return None
    sentence = _sentence(results, results.sensors[0], results.stages[-1])
    return Block("", f"<h1>{escape(sentence)}</h1>", {"sentence": sentence})


@section("insertion", order=46, episodes=False)
def insertion(report: Report) -> Block | None:
    """Success of every arm with every connector, for each sensor on the pads."""
    results = _results(report)
    if results is None:
        return None
    parts = [
        '<p class="note">A gripper holds a plug that sits between its pads with an unknown offset and turn, over a '
        "socket that is not quite where it ought to be; the plug is seated when it is within 0.4 mm, and too much "
        "force ends the episode. All arms have one architecture, the same demonstrations and the same budget. Contexts "
        "of the test are offsets that training never draws. Success, with 95% bootstrap intervals over "
        f"{_seeds(results)} and contexts.</p>"
    ]
    numbers: dict[str, Any] = {}
    for sensor in results.sensors:
        for stage in results.stages:
            parts += [
                f"<h3>{escape(sensor)} on the pads, {_STAGES[stage]}</h3>",
                f'<p class="lead">{escape(_sentence(results, sensor, stage))}</p>',
                _table(results, sensor, stage),
            ]
            numbers[f"{sensor}/{stage}"] = _numbers(results, sensor, stage)
    return Block("Insertion by touch", "".join(parts), numbers)


def _results(report: Report) -> InsertionResults | None:
    folder = report.run.folder / "insertion"
    if not (folder / "results.parquet").is_file():
        return None
    results = InsertionResults(folder)
    return results if results.sensors else None


def _seeds(results: InsertionResults) -> str:
    arms = ((arm, sensor, stage) for sensor in results.sensors for stage in results.stages for arm in ARMS)
    runs = max(scores.runs for arm in arms if (scores := results.scores(*arm)) is not None)
    return f"{runs} training seed{'s' if runs > 1 else ''}"


def _sentence(results: InsertionResults, sensor: str, stage: str) -> str:
    said = {"better": "better", "worse": "worse", "unclear": "neither better nor worse that we can tell"}
    parts = []
    for over, name in (("no_touch", "no touch"), ("scratch", "touch from scratch")):
        gap = results.margin(over, sensor, stage)
        if gap is not None:
            parts.append(f"{said[verdict(gap)]} than {name} ({points(gap)})")
    if not parts:
        return f"With {sensor} on the pads, no arm was compared."
    return f"With {sensor} on the pads, {_STAGES[stage]}, the pretrained T3 does {', and '.join(parts)}."


def _table(results: InsertionResults, sensor: str, stage: str) -> str:
    head = ["", "All connectors", *(f"{pins} pins" for pins in results.pins), "Pretrained is ahead by"]
    rows = []
    for arm in results.arms(sensor, stage):
        gap = results.margin(arm, sensor, stage) if arm in ("no_touch", "scratch") else None
        rows.append(
            [
                escape(_LABELS[arm]),
                cell(results.success(arm, sensor, stage)),
                *(cell(results.success(arm, sensor, stage, pins)) for pins in results.pins),
                "" if gap is None else escape(points(gap)),
            ]
        )
    return table(head, rows)


def _numbers(results: InsertionResults, sensor: str, stage: str) -> dict[str, Any]:
    return {
        arm: {
            "all": interval_json(results.success(arm, sensor, stage)),
            **{str(pins): interval_json(results.success(arm, sensor, stage, pins)) for pins in results.pins},
            "pretrained_ahead": interval_json(results.margin(arm, sensor, stage)) if arm in ARMS else None,
        }
        for arm in results.arms(sensor, stage)
    }
