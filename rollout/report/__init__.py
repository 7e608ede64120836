"""The report of a run: one self-contained HTML file, and the same numbers as JSON. See `build.py`."""

from trunkline.rollout.report.build import build_report

__all__ = ["build_report"]
