"""Minecraft beside other families: the headline, the transfer tables and the videos of the run's part `minecraft`."""

from typing import Any

from trunkline.rollout.report.analysis import Analysis
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.report.run import RESULTS, load_run
from trunkline.rollout.report.sections.comparisons import comparisons
from trunkline.rollout.report.sections.headline import headline
from trunkline.rollout.report.sections.transfer import transfer
from trunkline.rollout.report.sections.videos import videos

NOTE = (
    "The goal is a picture of the target, taken from elsewhere, and a mask that says what in it is meant; the policy "
    "sees both, and its own view. In the videos the goal stands in the corner, its target outlined."
)
_PARTS = (("headline", headline), ("transfer", transfer), ("comparisons", comparisons), ("videos", videos))


@section("minecraft", order=47, episodes=False)
def minecraft(report: Report) -> Block | None:
    """The sections of an ordinary report, one under another; None where the run has no such part."""
    folder = report.run.folder / "minecraft"
    if not (folder / RESULTS).is_file():
        return None
    run = load_run(folder)
    if not run.results.episodes:
        return None
    own = Report(run, Analysis(run.results, report.analysis.resamples, report.analysis.seed))
    html, numbers = [f'<p class="note">{NOTE}</p>'], {}
    for name, render in _PARTS:
        block = render(own)
        if block is not None:
            title = f"<h3>{block.title}</h3>" if block.title else ""
            html.append(title + block.html.replace("<h1>", '<p class="lead"><b>').replace("</h1>", "</b></p>"))
            numbers[name] = dict[str, Any](block.numbers)
    return Block("Minecraft", "".join(html), numbers)
