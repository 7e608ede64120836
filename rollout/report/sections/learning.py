"""Learning curves: success over environment steps of every RL run, and the losses of pretraining and imitation."""

from collections.abc import Sequence
from typing import Any

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import escape, legend, listed, variable
from trunkline.rollout.report.metrics import Curve, Log, curve, loss_metric, success_metrics
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.report.svg import Line, lines

TITLES = {"pretrain": "Pretraining", "pretraining": "Pretraining", "imitation": "Imitation"}


@section("learning", order=50)
def learning(report: Report) -> Block:
    """Panels of curves; a run without metrics says where they would be."""
    logs = report.run.logs
    rl = [log for log in logs if any(name.partition("/")[0] == "success" for name in log.names())]
    losses = [log for log in logs if log not in rl and loss_metric([log])]
    numbers: dict[str, Any] = {}
    parts = [_success(rl, numbers)] if rl else []
    parts += [_losses(losses, numbers)] if losses else []
    skipped = sum(log.skipped for log in logs)
    if skipped:
        parts.append(f'<p class="note">{skipped} unreadable lines of metrics were skipped.</p>')
    absent = [what for what, there in (("RL", rl), ("pretraining", losses)) if not there]
    if absent:
        parts.append(
            f'<p class="note">No metrics of {listed(absent)} under '
            "<code>checkpoints/&lt;stage&gt;/seed&lt;k&gt;/metrics.jsonl</code>.</p>"
        )
    return Block("Learning curves", "".join(parts), numbers)


def _success(logs: Sequence[Log], numbers: dict[str, Any]) -> str:
    stages = arms.order((log.stage for log in logs), arms.ARMS)
    tasks = success_metrics(logs)
    panels = []
    for metric in ["success", *(f"success/{task}" for task in tasks)] if len(tasks) != 1 else [f"success/{tasks[0]}"]:
        found = [c for stage in stages if (c := curve(_of(logs, stage), metric, "env_steps")) is not None]
        title = metric.partition("/")[2] or "All tasks"
        panels += _panel(title, found, "environment steps", rate=True, key=metric, numbers=numbers)
    shown = "".join(panels)
    return (
        '<h3>Success while training with RL</h3><p class="note">On training goals, as collected. Lines are means over '
        f'training seeds, bands the lowest and highest seed.</p>{legend(stages)}<div class="panels">{shown}</div>'
    )


def _losses(logs: Sequence[Log], numbers: dict[str, Any]) -> str:
    stages = arms.order((log.stage for log in logs), arms.ARMS)
    groups: dict[str, list[str]] = {}
    for stage in stages:  # imitation and imitation_scratch minimise the same loss: one panel
        groups.setdefault(stage.partition("_")[0], []).append(stage)
    panels = []
    for group, members in groups.items():
        found = [c for stage in members for of in [_of(logs, stage)] if (c := curve(of, loss_metric(of))) is not None]
        title = TITLES.get(group, group.capitalize())
        panels += _panel(title, found, "optimisation steps", rate=False, key=f"loss/{group}", numbers=numbers)
    shown = [stage for members in groups.values() if len(members) > 1 for stage in members]
    key = legend(shown) if shown else ""
    return f'<h3>Losses of pretraining and imitation</h3>{key}<div class="panels">{"".join(panels)}</div>'


def _of(logs: Sequence[Log], stage: str) -> list[Log]:
    return [log for log in logs if log.stage == stage]


def _panel(title: str, found: Sequence[Curve], x: str, rate: bool, key: str, numbers: dict[str, Any]) -> list[str]:
    if not found:
        return []
    numbers[key] = {
        c.stage: {
            "seeds": c.seeds,
            "x": _rounded(c.x),
            "mean": _rounded(c.mean),
            "low": _rounded(c.low),
            "high": _rounded(c.high),
        }
        for c in found
    }
    drawn = [
        Line(
            arms.arm(c.stage).label,
            variable(c.stage),
            arms.arm(c.stage).dash if rate or len(found) > 1 else "",
            c.x,
            c.mean,
            c.low,
            c.high,
        )
        for c in found
    ]
    chart = lines(f"{title} over {x}", drawn, x, rate)
    return [f"<figure><figcaption>{escape(title)}</figcaption>{chart}</figure>"]


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
