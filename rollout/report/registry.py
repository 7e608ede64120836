"""Sections of the report by name: a new one is one file in `sections/`, or an entry point of another distribution.

```python
@section("heat_map", order=45, episodes=False)
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
_OF_EPISODES: set[str] = set()


def section(name: str, order: int, episodes: bool = True) -> Callable[[Section], Section]:
    """Register a section; lower orders stand higher on the page.

    Args:
        name: unique; also its anchor on the page and its key in report.json.
        order: of the page.
        episodes: whether it tells of evaluated episodes, and is left out where a run has none.
    """

    def add(render: Section) -> Section:
        _ORDER[name] = order
        if episodes:
            _OF_EPISODES.add(name)
        return _SECTIONS.register(name)(render)

    return add


def sections(episodes: bool) -> list[tuple[str, Section]]:
    """Every section, in the order of the page; without `episodes`, those that tell of something else."""
    names = sorted(_SECTIONS.names(), key=lambda name: (_ORDER.get(name, 50), name))
    return [(name, _SECTIONS.get(name)) for name in names if episodes or name not in _OF_EPISODES]


def broken_sections() -> dict[str, str]:
    """Sections of other distributions that failed to import, with their error."""
    return _SECTIONS.broken()
