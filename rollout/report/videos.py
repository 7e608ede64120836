"""Recorded episodes: `<run>/videos/<arm>/<task>[_seed<k>][_<axis>]_<index>_<success|failure>.mp4`.

A "/" of the task's name is a folder, or "-", "_" or "__" in the file's name. Beside a video may lie a `.json` of the
same name whose "task" and "axis" say more than the name can.
"""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trunkline.errors import InputError

_NAME = re.compile(
    r"(?P<task>.+?)(?:_seed\d+)?(?:_(?P<axis>seen|goal|object|task))?_(?P<index>\d+)_(?P<outcome>success|failure)$"
)


@dataclass(frozen=True)
class Video:
    """One recorded episode; `axis` is None where nothing tells it, `task` is as in the results where that is known."""

    path: Path
    arm: str
    task: str
    axis: str | None
    index: int
    success: bool

    @property
    def bytes(self) -> int:
        """Its size once embedded."""
        return (self.path.stat().st_size + 2) // 3 * 4

    def data_uri(self) -> str:
        """The whole file as a URI."""
        return "data:video/mp4;base64," + base64.b64encode(self.path.read_bytes()).decode()


def find_videos(folder: Path) -> list[Video]:
    """Every recorded episode, sorted by arm, task and index; other files are not looked at.

    Raises:
        InputError: a video's `.json` is damaged.
    """
    videos = []
    for path in sorted(folder.glob("*/**/*.mp4")):
        arm, *inner = path.relative_to(folder).with_suffix("").parts
        match = _NAME.match("/".join(inner))
        if match is None or not path.stat().st_size:
            continue
        beside = path.with_suffix(".json")
        try:
            said: dict[str, str] = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
            task, axis = said.get("task", str(match["task"])), said.get("axis", match["axis"])
        except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
            raise InputError(f"{beside} does not describe a video: {error}; remove it, or evaluate again") from None
        videos.append(Video(path, arm, task, axis, int(match["index"]), match["outcome"] == "success"))
    return sorted(videos, key=lambda video: (video.arm, video.task, video.index))


def same_task(a: str, b: str) -> bool:
    """Whether two spellings name one task: "tabletop/pick-place", "tabletop_pick-place"."""
    return re.sub(r"[^a-z0-9]+", "", a.lower()) == re.sub(r"[^a-z0-9]+", "", b.lower())


def choose(videos: Iterable[Video], budget: int, each: int = 1) -> list[Video]:
    """At most `each` successes and failures of an arm on a task, in the order given, within `budget` embedded bytes."""
    taken: dict[tuple[str, str, bool], int] = {}
    chosen = []
    for video in videos:
        key = (video.arm, video.task, video.success)
        if taken.get(key, 0) < each and video.bytes <= budget:
            taken[key] = taken.get(key, 0) + 1
            budget -= video.bytes
            chosen.append(video)
    return chosen
