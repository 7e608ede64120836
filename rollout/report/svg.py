"""Charts drawn as inline SVG. Colours are the page's CSS variables, so that they follow light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from trunkline.rollout.report.html import percent
from trunkline.rollout.statistics import Floats, Interval

WIDTH = 360  # of a chart of lines, in its own units; about one CSS pixel each on a phone
_BARS, _LABEL, _VALUE, _ROW = 440, 162, 100, 30  # of a chart of bars: all of it, its labels, its values, one bar


@dataclass(frozen=True)
class Bar:
    """One bar: its label, the CSS variable of its colour, and its interval."""

    label: str
    color: str
    interval: Interval


@dataclass(frozen=True)
class Line:
    """One line with its band: x, y, low, high (N,)."""

    label: str
    color: str
    dash: str
    x: Floats
    y: Floats
    low: Floats
    high: Floats


def bars(title: str, items: Sequence[Bar]) -> str:
    """Rates as horizontal bars with error bars, 0 to 100%."""
    left, right = _LABEL, _BARS - _VALUE
    height = len(items) * _ROW + 20

    def at(value: float) -> float:
        return left + (right - left) * min(max(value, 0.0), 1.0)

    parts = []
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<line class="grid" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="2" y2="{height - 18}"/>')
        parts.append(f'<text class="tick" x="{at(tick):.1f}" y="{height - 4}" text-anchor="middle">{tick:.0%}</text>')
    for row, bar in enumerate(items):
        top, middle, interval = row * _ROW + 7, row * _ROW + _ROW / 2 + 1, bar.interval
        low, high, end = at(interval.low), at(interval.high), at(interval.value)
        value, _, bounds = percent(interval).partition(" ")
        parts.append(
            f"<g><title>{escape(bar.label)}: {percent(interval)}</title>"
            + _label(bar.label, middle)
            + f'<rect x="{left}" y="{top}" width="{max(end - left, 1):.1f}" height="{_ROW - 12}" rx="2" '
            f'style="fill:var({bar.color})"/>'
            f'<path class="halo" d="M{low:.1f} {middle}H{high:.1f}"/>'
            f'<path class="error" d="M{low:.1f} {middle}H{high:.1f}'
            f'M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"/>'
            f'<text class="value" x="{right + 9}" y="{middle + 4}">{value}'
            f'<tspan class="tick" dx="4">{bounds}</tspan></text></g>'
        )
    return _svg(title, _BARS, height, parts)


def _label(label: str, middle: float) -> str:
    """A row's label in one line, or two if it is long."""
    words, lines = label.split(), [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= 22:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    first = middle + 4 - 6.5 * (len(lines) - 1)
    spans = "".join(f'<tspan x="0" y="{first + 13 * i}">{escape(line)}</tspan>' for i, line in enumerate(lines))
    return f'<text class="label">{spans}</text>'


def lines(title: str, items: Sequence[Line], x_label: str, rate: bool = True, height: int = 210) -> str:
    """Curves with bands over a shared x; `rate`: y runs from 0 to 100%, else it fits the data (logarithmic if wide)."""
    left, right, top, bottom = 40.0, WIDTH - 8.0, 8.0, height - 34.0
    x_low, x_high = min(float(line.x.min()) for line in items), max(float(line.x.max()) for line in items)
    x_low = 0.0 if 0 < x_low < 0.1 * x_high else x_low
    y_low, y_high = (0.0, 1.0) if rate else _range(items)
    log = not rate and y_low > 0 and y_high / y_low > 30
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if rate else ticks(y_low, y_high, log)
    x_ticks = ticks(x_low, x_high)

    def x_at(x: Floats) -> Floats:
        return np.asarray(left + (right - left) * (x - x_low) / max(x_high - x_low, 1e-12), np.float64)

    def y_at(y: Floats) -> Floats:
        low, high, value = (np.log(np.maximum(v, 1e-12)) if log else np.asarray(v) for v in (y_low, y_high, y))
        return bottom - (bottom - top) * np.clip((value - low) / max(float(high - low), 1e-12), 0.0, 1.0)

    parts = []
    for tick in y_ticks:
        at = float(y_at(np.asarray(tick)))
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        text = f"{tick:.0%}" if rate else short(tick)
        parts.append(f'<text class="tick" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    for tick in x_ticks:
        at = float(x_at(np.asarray(tick)))
        anchor = "end" if at > right - 10 else "middle"
        parts.append(
            f'<text class="tick" x="{at:.1f}" y="{bottom + 15:.1f}" text-anchor="{anchor}">{short(tick)}</text>'
        )
    parts.append(
        f'<text class="tick" x="{(left + right) / 2}" y="{height - 3}" text-anchor="middle">{escape(x_label)}</text>'
    )
    for line in items:
        if (line.high > line.low).any():
            edge = _points(x_at(line.x), y_at(line.high)) + " " + _points(x_at(line.x)[::-1], y_at(line.low)[::-1])
            parts.append(f'<polygon points="{edge}" style="fill:var({line.color})" opacity=".16"/>')
    for line in items:
        parts.append(
            f'<polyline points="{_points(x_at(line.x), y_at(line.y))}" fill="none" style="stroke:var({line.color})" '
            f'stroke-width="2" stroke-linejoin="round" stroke-dasharray="{line.dash}">'
            f"<title>{escape(line.label)}</title></polyline>"
        )
    return _svg(title, WIDTH, height, parts)


def ticks(low: float, high: float, log: bool = False, count: int = 4) -> list[float]:
    """Round numbers within [low, high]."""
    if log:
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        return [10.0**power for power in powers if low <= 10.0**power <= high]
    if high <= low:
        return [low]
    raw = (high - low) / count
    base = 10.0 ** np.floor(np.log10(raw))
    step = float(min((m * base for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw)))
    return [
        round(float(tick), 12)
        for tick in np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    ]


def short(number: float) -> str:
    """A number in few signs: 1.5M, 200k, 0.05."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.3g}{sign}"
    return f"{number + 0.0:.3g}".replace("-", "−")


def _range(items: Sequence[Line]) -> tuple[float, float]:
    low, high = min(float(line.low.min()) for line in items), max(float(line.high.max()) for line in items)
    margin = 0.05 * (high - low) or 0.5
    return (
        (low, high)
        if low > 0 and high / low > 30
        else (max(low - margin, 0.0) if low >= 0 else low - margin, high + margin)
    )


def _points(x: Floats, y: Floats) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    return f"{head}{''.join(parts)}</svg>"
