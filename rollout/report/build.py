"""`build_report(run_folder)`: report.html, one file that needs no other and no network, and report.json."""

import json
from pathlib import Path
from typing import Any

from trunkline.files import write_text
from trunkline.rollout.report.analysis import Analysis
from trunkline.rollout.report.page import page
from trunkline.rollout.report.registry import Block, Report, broken_sections, sections
from trunkline.rollout.report.results import load_results
from trunkline.rollout.report.run import RESULTS, load_run
from trunkline.rollout.statistics import CONFIDENCE, RESAMPLES


def build_report(run_folder: str | Path, resamples: int = RESAMPLES, seed: int = 0) -> Path:
    """Write a run's report.html and report.json; the same run gives the same numbers.

    Args:
        run_folder: holds results.parquet (see `results.py`), or what other sections tell of, and, if there,
            config.yaml, stages.json, metrics.jsonl files (`metrics.py`) and videos (`videos.py`). A section whose data
            is missing says so or is left out.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        The path of report.html.

    Raises:
        InputError: results.parquet is missing, truncated or of another form.
    """
    folder = Path(run_folder)
    run = load_run(folder)
    report = Report(run, Analysis(run.results, resamples, seed))
    blocks: list[tuple[str, Block]] = []
    for name, render in sections(episodes=run.results.episodes > 0):
        block = render(report)
        if block is not None:
            blocks.append((name, block))
    if not run.results.episodes and not any(block.title for name, block in blocks if name != "method"):
        load_results(folder / RESULTS)  # says what is missing
    numbers: dict[str, Any] = {
        "run": run.name,
        "statistics": {"resamples": resamples, "seed": seed, "confidence": CONFIDENCE},
        "broken_sections": broken_sections(),
    }
    numbers.update({name: dict(block.numbers) for name, block in blocks if block.numbers})
    write_text(folder / "report.json", json.dumps(numbers, indent=1, allow_nan=False) + "\n")
    path = folder / "report.html"
    write_text(path, page(report, blocks))
    return path
