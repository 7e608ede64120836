"""`stages.json` of a run: its stages, each with whether it is done, its seconds, frames, command and attempts."""

import json
import math
from pathlib import Path
from typing import Any

from trunkline.errors import InputError

FILE = "stages.json"


def read_stages(path: Path) -> dict[str, dict[str, Any]]:
    """The records by stage; none if there is no such file.

    Raises:
        InputError: the file is damaged, or not of that form.
    """
    if not path.is_file():
        return {}
    try:
        stages = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}; delete it, every stage then looks for what is there") from None
    if not isinstance(stages, dict):
        raise InputError(
            f"{path} is not of the form {{stage: {{…}}}}; delete it, every stage then looks for what is there"
        )
    for name, stage in stages.items():
        if not isinstance(stage, dict) or not _sound(stage):
            raise InputError(f"{path}: the record of {name!r} is damaged; delete the file or that record")
    return stages


def _sound(stage: dict[str, Any]) -> bool:
    spans = stage.get("spans", [])
    return (
        all(stage.get(name) is None or _is_number(stage[name]) for name in ("seconds", "frames"))
        and (not stage.get("done") or _is_number(stage.get("seconds")))
        and isinstance(spans, list)
        and all(isinstance(span, list) and len(span) == 2 and all(map(_is_number, span)) for span in spans)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
