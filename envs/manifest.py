"""Frozen lists of TaskSpecs with a hash: what an evaluation, a collection or a benchmark ran on."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trunkline.envs.spec import TaskSpec, canonical_json
from trunkline.errors import InputError
from trunkline.files import write_text

FORMAT = "trunkline-manifest-1"


@dataclass(frozen=True)
class Manifest:
    """An ordered list of TaskSpecs, all different.

    Raises:
        InputError: a TaskSpec occurs twice.
    """

    tasks: tuple[TaskSpec, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for task in self.tasks:
            if task.id in seen:
                raise InputError(f"manifest holds the TaskSpec {task.id} ({task.task}, seed {task.seed}) twice")
            seen.add(task.id)

    @cached_property
    def sha256(self) -> str:
        """The hash of the whole list, order included."""
        digest = hashlib.sha256()
        for task in self.tasks:
            digest.update(canonical_json(task.to_json()).encode() + b"\n")
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[TaskSpec]:
        return iter(self.tasks)

    def by_task(self) -> dict[str, list[int]]:
        """Indices of the TaskSpecs of each "family/task", in order of first appearance."""
        groups: dict[str, list[int]] = {}
        for index, task in enumerate(self.tasks):
            groups.setdefault(task.task, []).append(index)
        return groups

    def save(self, path: str | Path) -> None:
        """Write it to `path` (JSON), atomically."""
        value = {
            "format": FORMAT,
            "sha256": self.sha256,
            "count": len(self),
            "tasks": [t.to_json() for t in self.tasks],
        }
        write_text(path, json.dumps(value, indent=0))

    @classmethod
    def load(cls, path: str | Path) -> "Manifest":
        """Read and verify one.

        Raises:
            InputError: no such file, not a manifest, or content that does not match its hash.
        """
        path = Path(path)
        try:
            value = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(f"no manifest at {path}; make one with `trunkline tasks sample`") from None
        except IsADirectoryError:
            raise InputError(f"{path} is a folder, not a manifest; name the file in it") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a manifest: {error}; it may be truncated, make it again") from None
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise InputError(f"{path} is not a manifest of format {FORMAT!r}; make one with `trunkline tasks sample`")
        tasks = value.get("tasks")
        if not isinstance(tasks, list) or value.get("count") != len(tasks):
            found = len(tasks) if isinstance(tasks, list) else "no"
            raise InputError(
                f"{path} was changed: it holds {found} tasks and says {value.get('count')}; make it again or restore it"
            )
        manifest = cls(tuple(TaskSpec.from_json(task) for task in tasks))
        if manifest.sha256 != value.get("sha256"):
            raise InputError(
                f"{path} was changed: its tasks hash to {manifest.sha256[:16]}…, it says "
                f"{str(value.get('sha256'))[:16]}…; make it again or restore it"
            )
        return manifest


def disjoint(a: Sequence[TaskSpec], b: Sequence[TaskSpec]) -> bool:
    """Whether two lists share no TaskSpec content (task and parameters, whatever their seeds)."""
    keys = {canonical_json([t.task, t.params]) for t in a}
    return not any(canonical_json([t.task, t.params]) in keys for t in b)
