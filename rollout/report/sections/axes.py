"""One chart an axis of novelty: every arm's success with its interval."""

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import escape, variable
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.report.svg import Bar, bars


@section("axes", order=20)
def axes(report: Report) -> Block | None:
    """Bars with error bars."""
    panels = []
    for axis in report.run.results.axes:
        items = [
            Bar(arms.arm(arm).label, variable(arm), rate)
            for arm in report.run.results.arms
            if (rate := report.analysis.estimate(arm, axis)) is not None
        ]
        if items:
            title = arms.axis(axis).title
            chart = bars(f"Success by arm: {title}", items)
            panels.append(f"<figure><figcaption>{escape(title)}</figcaption>{chart}</figure>")
    if not panels:
        return None
    note = "Share of episodes solved, mean over tasks and training seeds, with 95% intervals; no further training."
    return Block(
        "Success by what is new", f'<p class="note">{note}</p><div class="panels wide">{"".join(panels)}</div>'
    )
