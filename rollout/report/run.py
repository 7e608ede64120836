"""What a run folder holds, read once: the input of every section."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trunkline.errors import InputError
from trunkline.rollout.report.metrics import Log, load_logs
from trunkline.rollout.report.results import Results, load_results
from trunkline.rollout.report.videos import Video, find_videos
from trunkline.rollout.stage_records import FILE, read_stages

RESULTS = "results.parquet"


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: where it is.
        results: the evaluated episodes; none for a run that evaluates something else.
        logs: metrics of its training runs.
        videos: recorded episodes.
        stages: `stages.json`, {stage: {"seconds", "frames", "command", …}}; None if there is none.
        config: the text of `config.yaml`; None if there is none.
    """

    folder: Path
    results: Results
    logs: list[Log] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    stages: dict[str, dict[str, Any]] | None = None
    config: str | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name


def load_run(folder: Path) -> Run:
    """Read a run folder; any of it may be missing.

    Raises:
        InputError: no such folder, unreadable results, or a damaged stages.json.
    """
    if not folder.is_dir():
        raise InputError(f"no run folder at {folder}; name one that `trunkline run` or `trunkline evaluate` wrote")
    config = folder / "config.yaml"
    results = load_results(folder / RESULTS) if (folder / RESULTS).is_file() else Results.none()
    # Beside seeds that were evaluated, one that is still training says nothing of budgets and curves.
    logs = [log for log in load_logs(folder) if log.stage not in results.arms or log.seed in results.seeds(log.stage)]
    return Run(
        folder=folder,
        results=results,
        logs=logs,
        videos=find_videos(folder / "videos"),
        stages=read_stages(folder / FILE) or None,
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None,
    )
