"""A run's folder belongs to one process at a time, and its last checkpoint is that of the largest number."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from trunkline.errors import InputError
from trunkline.run_folder import RunFolder


@dataclass(frozen=True)
class Config:
    steps: int = 1


HOLD = """
import sys
from dataclasses import make_dataclass
from trunkline.run_folder import RunFolder
place, config = RunFolder(sys.argv[1]), make_dataclass("Config", [("steps", int, 1)])()
place.check(config)
place.claim(config)
print("claimed", flush=True)
sys.stdin.read()
"""


def claim(folder: Path) -> RunFolder:
    place = RunFolder(folder)
    place.check(Config())
    place.claim(Config())
    return place


def test_one_process_at_a_time_however_it_ends(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(InputError, match="run is being written by another process"):
            claim(folder)
        other.kill()
    mine = claim(folder)
    assert claim(folder)._lock is mine._lock  # the same process may ask again
    assert mine.latest() is None


def test_a_folder_that_another_process_took_since_it_was_checked(tmp_path):
    late = RunFolder(tmp_path)
    late.check(Config())
    claim(tmp_path)
    with pytest.raises(InputError, match="begun by another process"):
        late.claim(Config())


def test_lists_that_may_grow_do_and_the_folder_notes_it(tmp_path):
    @dataclass(frozen=True)
    class Run:
        seeds: tuple[int, ...]
        steps: int = 1

    def claim_with(config: Run) -> list[int]:
        place = RunFolder(tmp_path)
        place.check(config, may_grow={"seeds"})
        place.claim(config)
        return yaml.safe_load((tmp_path / "config.yaml").read_text())["seeds"]

    assert claim_with(Run((0,))) == [0]
    assert claim_with(Run((0, 1))) == [0, 1]
    for other in (Run((1, 0)), Run((0, 2)), Run((0, 1, 2), steps=2)):
        with pytest.raises(InputError, match="another run"):
            claim_with(other)
    assert claim_with(Run((0,))) == [0, 1]  # a part of it
    with pytest.raises(InputError, match=r"another run: seeds is \[0, 1, 2\]"):
        RunFolder(tmp_path).check(Run((0, 1, 2)))


def test_of_two_growing_lists_the_longer_stay(tmp_path):
    @dataclass(frozen=True)
    class Run:
        seeds: tuple[int, ...]
        arms: tuple[str, ...]

    for config in (Run((0,), ("a", "b")), Run((0, 1), ("a",))):
        place = RunFolder(tmp_path)
        place.check(config, may_grow={"seeds", "arms"})
        place.claim(config)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {"seeds": [0, 1], "arms": ["a", "b"]}
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(InputError, match=r"config\.yaml is damaged"):
        RunFolder(tmp_path).check(Run((0,), ("a",)))


def test_the_last_checkpoint_has_the_largest_number(tmp_path):
    place = claim(tmp_path)
    for updates in (99_999_999, 100_000_000, 7):
        place.checkpoint(updates).mkdir(parents=True)
    (tmp_path / "checkpoints" / "best").mkdir()
    assert place.latest() == (100_000_000, place.checkpoint(100_000_000))
    place.prune(1)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"100000000", "best"}
