"""Small pieces of HTML: escaped text, numbers with intervals, tables, swatches."""

from collections.abc import Iterable, Sequence
from html import escape
from math import isfinite

from trunkline.rollout.report import arms
from trunkline.rollout.statistics import Interval, Verdict

MISSING = '<span class="quiet">–</span>'
VERDICTS: dict[Verdict, tuple[str, str]] = {
    "better": ("▲", "better"),
    "worse": ("▼", "worse"),
    "unclear": ("◆", "no difference we can tell"),
}


def percent(interval: Interval | None) -> str:
    """As plain text: "71% [66, 76]"."""
    if interval is None:
        return "–"
    return f"{100 * interval.value:.0f}% [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def points(interval: Interval) -> str:
    """A difference of rates as plain text: "+28 points [+21, +35]"."""
    low, high = (_signed(100 * bound) for bound in (interval.low, interval.high))
    return f"{_signed(100 * interval.value)} points [{low}, {high}]"


def _signed(number: float) -> str:
    """With its sign; what is not zero is not shown as zero, since an interval's end decides by its sign."""
    sign = "+" if number > 0 else "−" if number < 0 else ""
    size = abs(number)
    return f"{sign}{size:.0f}" if size >= 0.5 or not number else f"{sign}{max(size, 0.1):.1f}"


def cell(interval: Interval | None, second: str = "") -> str:
    """A rate for a table: the value, its interval, and a quiet second line."""
    if interval is None:
        return MISSING
    value, _, bounds = percent(interval).partition(" ")
    below = f'<span class="second">{escape(second)}</span>' if second else ""
    return f'<b>{value}</b> <span class="bounds">{bounds}</span>{below}'


def times_cell(interval: Interval | None) -> str:
    """A ratio for a table: "×2.1 [1.4, 3.5]"."""
    if interval is None:
        return MISSING
    low, high = (f"{bound:.1f}" if isfinite(bound) else "∞" for bound in (interval.low, interval.high))
    return f'<b>×{interval.value:.1f}</b> <span class="bounds">[{low}, {high}]</span>'


def decimal_cell(interval: Interval | None) -> str:
    """A number with two decimals for a table."""
    if interval is None:
        return MISSING
    low, high = (f"{bound:.2f}".replace("-", "−") for bound in (interval.low, interval.high))
    value = f"{interval.value:.2f}".replace("-", "−")
    return f'<b>{value}</b> <span class="bounds">[{low}, {high}]</span>'


def variable(arm: str) -> str:
    """The CSS variable that holds an arm's colour."""
    return "--arm-" + "".join(c if c.isalnum() else "-" for c in arm)


def swatch(arm: str) -> str:
    """A dot in an arm's colour and the arm's label."""
    dot = f'<span class="dot" style="background:var({variable(arm)})"></span>'
    return f'<span class="arm">{dot}{escape(arms.arm(arm).label)}</span>'


def verdict_cell(verdict: Verdict, gap: Interval) -> str:
    """A verdict as a word with a sign, so that it needs no colour, and below it the difference it comes from."""
    sign, words = VERDICTS[verdict]
    mark = f'<span class="verdict {verdict}"><span aria-hidden="true">{sign}</span> {words}</span>'
    return f'{mark}<span class="second">{points(gap)}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table that scrolls sideways on narrow screens; the first column are the rows' names. Cells are HTML."""
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{value}</td>" for value in row[1:])}</tr>' for row in rows
    )
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def details(summary: str, content: str, opened: bool = False) -> str:
    """A part that can be folded away."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{content}</details>"


def legend(names: Iterable[str]) -> str:
    """Arms with their lines, for charts."""
    items = "".join(
        f'<li><svg width="26" height="10" aria-hidden="true"><line x1="1" x2="25" y1="5" y2="5" '
        f'style="stroke:var({variable(name)})" stroke-width="2.5" stroke-dasharray="{arms.arm(name).dash}"/></svg>'
        f"{escape(arms.arm(name).label)}</li>"
        for name in names
    )
    return f'<ul class="legend">{items}</ul>'


def task_name(task: str) -> str:
    """A task for people: "pick-place" of "tabletop/pick-place" stays recognisable, its family is set quietly."""
    family, slash, name = task.rpartition("/")
    return f'<span class="family">{escape(family + slash)}</span>{escape(name)}'


def listed(names: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


__all__ = [
    "MISSING",
    "cell",
    "decimal_cell",
    "details",
    "escape",
    "legend",
    "listed",
    "percent",
    "points",
    "swatch",
    "table",
    "task_name",
    "variable",
    "verdict_cell",
]
