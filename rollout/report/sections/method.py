"""How this was measured: manifests, seeds, episodes, compute by stage, versions, commands, statistics."""

import math
import os
import platform
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import MISSING, details, escape, swatch, table
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.training_lines import duration

PACKAGES = ("trunkline", "torch", "ray", "mujoco", "gymnasium", "numpy", "pyarrow")


@section("method", order=80, episodes=False)
def method(report: Report) -> Block:
    """Everything needed to judge the numbers or to get them again."""
    parts = []
    numbers: dict[str, Any] = {}
    of_episodes = (("Episodes and seeds", _episodes), ("Manifests", _manifests))
    for title, part in (
        *(of_episodes if report.run.results.episodes else ()),
        ("Compute", _stages),
        ("Versions", _versions),
    ):
        html, found = part(report)
        parts.append(f"<h3>{title}</h3>{html}")
        numbers[title.lower().replace(" ", "_")] = found
    if report.run.results.episodes:
        parts.append(f"<h3>Statistics</h3>{_statistics(report)}")
    if report.run.config is None:
        parts.append('<p class="note">No config.yaml in the run folder: the configuration is not known.</p>')
    else:
        parts.append(details("Configuration (config.yaml)", f"<pre>{escape(report.run.config)}</pre>"))
    return Block("How this was measured", "".join(parts), numbers)


def _episodes(report: Report) -> tuple[str, Any]:
    results = report.run.results
    rows, numbers = [], {}
    for arm in results.arms:
        cells = [results.cells[arm, cell] for cell in results.cells_of(arm)]
        each = sorted({cell.episodes for cell in cells})
        total = sum(int(np.isfinite(cell.success).sum()) for cell in cells)
        seeds = results.seeds(arm)
        numbers[arm] = {"seeds": seeds, "cells": len(cells), "episodes_a_cell": each, "episodes": total}
        span = "–" if not each else str(each[0]) if len(each) == 1 else f"{each[0]} to {each[-1]}"
        names = ", ".join(map(str, seeds)) if arms.arm(arm).trained else MISSING
        rows.append([swatch(arm), names, str(len(cells)), span, f"{total:,}"])
    return table(["", "Training seeds", "Cells (task × axis)", "Episodes a cell and seed", "Episodes"], rows), numbers


def _manifests(report: Report) -> tuple[str, Any]:
    columns = report.run.results.columns
    rows, numbers = [], {}
    for digest in sorted(set(columns["manifest"].tolist())):
        here = columns["manifest"] == digest
        splits = sorted(set(columns["split"][here].tolist()))
        contexts = len(set(columns["task_id"][here].tolist()))
        numbers[digest] = {"splits": splits, "episodes": contexts}
        rows.append([f"<code>{escape(digest[:16])}…</code>", escape(", ".join(splits)), str(contexts)])
    note = '<p class="note">Each is a frozen list of episodes; the hash names it. Full hashes are in report.json.</p>'
    return note + table(["SHA-256", "Splits", "Different episodes"], rows), numbers


def _stages(report: Report) -> tuple[str, Any]:
    stages = report.run.stages
    if stages is None:
        return '<p class="note">No stages.json in the run folder: time, frames and commands are not known.</p>', None
    commands = {str(stage["command"]) for stage in stages.values() if "command" in stage}
    alike = len(commands) == 1
    rows = []
    for name, stage in stages.items():
        seconds, frames = stage.get("seconds"), stage.get("frames")
        row = [
            escape(name) + (' <span class="quiet">(unfinished)</span>' if stage.get("done") is False else ""),
            duration(seconds) if isinstance(seconds, int | float) else MISSING,
            f"{frames:,.0f}" if isinstance(frames, int | float) else MISSING,
        ]
        rows.append(row if alike else [*row, _code(str(stage["command"])) if "command" in stage else MISSING])
    frames = sum(stage["frames"] for stage in stages.values() if isinstance(stage.get("frames"), int | float))
    together = duration(_wall_clock(stages.values()))
    rows.append(["Together", f"<b>{together}</b>", f"<b>{frames:,.0f}</b>", *([] if alike else [""])])
    head = ["Stage", "Wall-clock", "Frames", *([] if alike else ["Command"])]
    note = f'<p class="note">Command: {_code(commands.pop())}</p>' if alike else ""
    return note + table(head, rows), stages


def _wall_clock(stages: Collection[Mapping[str, Any]]) -> float:
    """Seconds in which at least one stage ran; time that stands in no stage's `spans` was spent alone."""
    spans = sorted(tuple(span) for stage in stages for span in stage.get("spans", ()))
    recorded = sum(stage["seconds"] for stage in stages if isinstance(stage.get("seconds"), int | float))
    seconds: float = max(0.0, recorded - sum(end - begin for begin, end in spans))
    until = -math.inf
    for begin, end in spans:
        seconds += max(0.0, end - max(begin, until))
        until = max(until, end)
    return seconds


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _versions(report: Report) -> tuple[str, Any]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    return f'<p class="note">{escape(text)}; {escape(machine)}, where this report was made.</p>', {
        **found,
        "machine": machine,
    }


def _statistics(report: Report) -> str:
    analysis = report.analysis
    return (
        '<p class="note">Intervals are 95% percentile intervals of a stratified bootstrap with '
        f"{analysis.resamples:,} resamples (seed {analysis.seed}): training runs are resampled where there is more "
        "than one, and episodes within each task, the same draw for all arms. With few and unlike runs such intervals "
        "are too narrow. Where all episodes ended alike they are Wilson’s. A task weighs the same whatever its number "
        "of episodes. IQM: the mean of the middle half of the scores of runs on tasks (Agarwal et al., 2021). Lost "
        "episodes are left out and counted.</p>"
    )
