"""Episodes to look at: for every task a success and a failure of every arm, side by side."""

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import escape, swatch, task_name
from trunkline.rollout.report.registry import Block, Report, section
from trunkline.rollout.report.videos import Video, choose, same_task

BUDGET = 3_600_000  # bytes once embedded, so that the whole page stays below 5 MB


@section("videos", order=60)
def videos(report: Report) -> Block | None:
    """A grid of small videos a task; None if the run recorded none."""
    found = report.run.videos
    if not found:
        return None
    known = arms.order((video.arm for video in found), arms.ARMS)
    ranked = sorted(found, key=lambda video: (known.index(video.arm), not video.success))
    chosen = choose(ranked, BUDGET)
    results = report.run.results
    names = {video.task: next((t for t in results.tasks if same_task(t, video.task)), video.task) for video in chosen}
    parts = []
    for task in sorted(set(names.values())):
        figures = "".join(_figure(video, task) for video in chosen if names[video.task] == task)
        parts.append(f'<h3>{task_name(task)}</h3><div class="videos">{figures}</div>')
    left_out = len({(v.arm, v.task, v.success) for v in found}) - len(chosen)
    note = "One success and one failure for every arm that has one, chosen by their place in the manifest, not by eye."
    if left_out:
        note += f" {left_out} more did not fit this page; they lie in the run's videos folder."
    shown = [str(video.path.relative_to(report.run.folder)) for video in chosen]
    return Block(
        "Episodes to look at", f'<p class="note">{note}</p>{"".join(parts)}', {"shown": shown, "left_out": left_out}
    )


def _figure(video: Video, task: str) -> str:
    outcome = ("better", "✓", "solved") if video.success else ("worse", "✗", "not solved")
    where = f" · {escape(arms.axis(video.axis).title.lower())}" if video.axis else ""
    words = escape(f"{arms.arm(video.arm).label} on {task}, episode {video.index}: {outcome[2]}")
    return (
        f'<figure><video muted loop playsinline controls preload="metadata" aria-label="{words}" '
        f'src="{video.data_uri()}"></video>'
        f'<figcaption>{swatch(video.arm)}<br><span class="outcome {outcome[0]}">{outcome[1]} {outcome[2]}</span>{where}'
        f"</figcaption></figure>"
    )
