"""Sections of the report by name: a new one is one file in `sections/`, or an entry point of another distribution.

```python
@section("heat_map", order=45)
def heat_map(report: Report) -> Block | None:
    ...  # None: this run has nothing of the kind
    return Block("Sensors and tasks", "<p>…</p>", {"numbers": "for report.json"})
```
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.registry import Registry
from trunkline.rollout.report.analysis import Analysis
from trunkline.rollout.report.run import Run


@dataclass(frozen=True)
class Report:
    """What a section is made from: what the run folder holds, and the estimates over it."""

    run: Run
    analysis: Analysis


@dataclass(frozen=True)
class Block:
    """One section: its title (empty: none is shown), its HTML, and its numbers for report.json."""

    title: str
    html: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


Section = Callable[[Report], Block | None]

_SECTIONS = Registry("report section", "trunkline.report_sections", "trunkline.rollout.report.sections")
_ORDER: dict[str, int] = {}


def section(name: str, order: int) -> Callable[[Section], Section]:
    """Register a section; lower orders stand higher on the page."""

    def add(render: Section) -> Section:
        _ORDER[name] = order
        return _SECTIONS.register(name)(render)

    return add


def sections() -> list[tuple[str, Section]]:
    """Every section, in the order of the page."""
    return [(name, _SECTIONS.get(name)) for name in sorted(_SECTIONS.names(), key=lambda n: (_ORDER.get(n, 50), n))]


def broken_sections() -> dict[str, str]:
    """Sections of other distributions that failed to import, with their error."""
    return _SECTIONS.broken()
