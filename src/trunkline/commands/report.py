"""`trunkline report`: one HTML file from a run folder."""

from collections.abc import Sequence
from pathlib import Path

from trunkline.commands.common import say
from trunkline.errors import InputError


def main(arguments: Sequence[str]) -> None:
    """Build report.html and report.json in the folder."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        raise InputError("usage: trunkline report FOLDER")
    from trunkline.rollout.report import build_report

    say(f"report: {build_report(Path(arguments[0]))}")
