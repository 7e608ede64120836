"""Installing MineDojo into an environment of its own, and what launching it needs beside that."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.envs.minecraft.packages import cache_folder
from trunkline.errors import InputError
from trunkline.files import making_folder

# In this order: gym 0.21's own setup needs an old setuptools, and MineDojo's pins would replace what is there.
STAGES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ("setuptools==65.5.0", "wheel==0.38.4")),
    ((), ("numpy==1.23.5",)),
    (("--no-build-isolation",), ("gym==0.21.0",)),
    (("--no-deps",), ("minedojo==0.1",)),
    (
        (),
        (
            *("numpy==1.23.5", "opencv-python-headless==4.8.1.78", "lxml==6.1.3", "pillow==13.0.0"),
            *("pyyaml==6.0.3", "jinja2==3.1.6", "coloredlogs==15.0.1", "xmltodict==1.0.4", "Pyro4==4.82"),
            *("psutil==7.2.2", "multiprocess==0.70.19", "daemoniker==0.2.3", "tqdm==4.70.1", "requests==2.34.2"),
            *("mypy-extensions==1.2.0", "jsonlines==4.0.0", "praw==8.0.3", "wget==3.2", "hydra-core==1.3.8"),
            *("importlib-resources==7.1.0", "msgpack==1.2.4"),
        ),
    ),
)
_OLDEST, _NEWEST = (3, 10), (3, 11)  # Pythons for which there are wheels of all of these
_LINES_SHOWN = 4
_JAR = "sim/Malmo/Minecraft/build/libs/MalmoMod-0.37.0-fat.jar"
GET_JAVA = "install a JDK 8 and put its java on PATH"


@dataclass(frozen=True)
class Venv:
    """The environment that MineDojo lives in."""

    @property
    def folder(self) -> Path:
        """Where these very pins belong; others have another folder."""
        digest = hashlib.sha256(repr(STAGES).encode()).hexdigest()
        return cache_folder() / "minedojo" / digest[:16]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def installed(self) -> bool:
        """Whether it is there."""
        return self.python.exists()

    def require(self) -> Path:
        """Its interpreter.

        Raises:
            InputError: it is not installed.
        """
        if not self.installed:
            raise InputError(f"MineDojo is not in {self.folder}; run: trunkline envs install minedojo")
        return self.python

    def install(self, say: Callable[[str], None]) -> Path:
        """Make it, whole or not at all; nothing is done if it is there.

        Raises:
            InputError: no Python that MineDojo's pins run on, or pip failed; with its last lines.
        """
        folder = self.folder
        if self.installed:
            return folder
        python = _find_python()
        with making_folder(folder, self.python) as temporary:
            _run([python, "-m", "venv", str(temporary)], "make a virtual environment")
            for options, packages in STAGES:
                say(f"installing {', '.join(packages[:3])}{' …' if len(packages) > 3 else ''}")
                pip = [str(temporary / "bin" / "python"), "-m", "pip", "install", "--quiet", *options, *packages]
                _run(pip, f"install {packages[0]}")
        return folder

    def missing(self) -> list[str]:
        """What launching the game needs and is not there."""
        found = []
        if (java := _java_version()) is None:
            found.append(f"no java ({GET_JAVA})")
        elif not java.startswith("1.8"):
            found.append(f"java is version {java}, Minecraft 1.11.2 needs 8 ({GET_JAVA})")
        if shutil.which("xvfb-run") is None and "DISPLAY" not in os.environ:
            found.append("neither a display nor xvfb-run (install xvfb)")
        jars = self.folder.glob(f"lib/python*/site-packages/minedojo/{_JAR}")
        if self.installed and not any(jars):
            found.append("the game is not built (MineDojo does it at its first reset, with gradle and Mojang's files)")
        return found


VENV = Venv()


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()][-_LINES_SHOWN:]
        raise InputError(f"could not {what} (exit status {done.returncode}): {' | '.join(lines)}")


def _find_python() -> str:
    """An interpreter that the pins run on: this one, or one on PATH.

    Raises:
        InputError: there is none.
    """
    if _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return sys.executable
    for minor in range(_NEWEST[1], _OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    raise InputError("MineDojo's packages need Python 3.10 or 3.11; install one of them and put it on PATH")


def _java_version() -> str | None:
    path = shutil.which("java")
    if path is None:
        return None
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "([^"]+)"', done.stderr + done.stdout)
    return found[1] if found else "unknown"


def install(say: Callable[[str], None]) -> None:
    """Install MineDojo, unless it is there.

    Raises:
        InputError: no Python that it runs on, or pip failed.
    """
    if VENV.installed:
        say(f"minedojo is installed in {VENV.folder}")
        return
    say(f"minedojo is installed in {VENV.install(say)}")


def check() -> str:
    """Launch the game and take 100 steps, where all that it needs is there; one line of what was found.

    Raises:
        InputError: MineDojo is not installed.
        RemoteError: it does not work.
    """
    from trunkline.envs.minecraft.minedojo import check_game

    return check_game()
