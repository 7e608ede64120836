"""Node packages that trunkline needs, installed into the user's cache: never into the package itself."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from trunkline.errors import InputError
from trunkline.files import making_folder

MIN_NODE = 20  # the oldest major version that the pinned packages run on
_MANIFESTS = ("package.json", "package-lock.json")
_GET_NODE = f"install Node.js {MIN_NODE} or later (https://nodejs.org), npm comes with it"
_LINES_SHOWN = 5


def cache_folder() -> Path:
    """Where trunkline keeps what it installs: TRUNKLINE_CACHE, else `trunkline` in the user's cache folder."""
    if chosen := os.environ.get("TRUNKLINE_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "trunkline"


@dataclass(frozen=True)
class Program:
    """An executable that was found, and its version."""

    path: str
    version: str


def find_node() -> Program:
    """Node.js on PATH.

    Raises:
        InputError: it is missing, does not run, or is too old.
    """
    node = _find("node")
    major = re.match(r"v?(\d+)\.", node.version)
    if major is None or int(major[1]) < MIN_NODE:
        raise InputError(f"{node.path} is version {node.version}, too old; {_GET_NODE}")
    return node


def find_npm() -> Program:
    """npm on PATH.

    Raises:
        InputError: it is missing or does not run.
    """
    return _find("npm")


def _find(name: str) -> Program:
    path = shutil.which(name)
    if path is None:
        raise InputError(f"no {name!r} on PATH; {_GET_NODE}")
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"{path} --version does not work ({error}); {_GET_NODE}") from None
    return Program(path, done.stdout.strip())


@dataclass(frozen=True)
class NodePackages:
    """A set of packages pinned by a lock file.

    Attributes:
        name: what it is installed as: `trunkline envs install NAME`.
        source: the folder of its package.json and package-lock.json.
    """

    name: str
    source: Path

    @property
    def folder(self) -> Path:
        """Where this very lock file's packages belong; another lock file has another folder."""
        digest = hashlib.sha256(b"\0".join((self.source / name).read_bytes() for name in _MANIFESTS)).hexdigest()
        return cache_folder() / self.name / digest[:16]

    @property
    def installed(self) -> bool:
        """Whether they are there."""
        return (self.folder / "node_modules").is_dir()

    def require(self) -> Path:
        """The folder of the installed packages.

        Raises:
            InputError: they are not installed.
        """
        if not self.installed:
            raise InputError(
                f"the packages of {self.name} are not in {self.folder}; run: trunkline envs install {self.name}"
            )
        return self.folder

    def install(self) -> Path:
        """Install them with `npm ci`, whole or not at all; nothing is done if they are there.

        Returns:
            Their folder.

        Raises:
            InputError: Node.js or npm is missing or too old, or npm failed; with its last lines.
        """
        folder = self.folder
        if self.installed:
            return folder
        find_node()
        npm = find_npm()
        with making_folder(folder, folder / "node_modules") as temporary:
            for name in _MANIFESTS:
                shutil.copy(self.source / name, temporary)
            # The pins ask for a newer Node than they need, so a strict engine check would refuse them; no package here
            # needs its install script.
            options = ["--ignore-scripts", "--engine-strict=false", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(
                [npm.path, "ci", *options], cwd=temporary, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if done.returncode != 0:
                said = [line.strip() for line in done.stdout.splitlines() if line.strip()][:_LINES_SHOWN]
                raise InputError(
                    f"npm {npm.version} could not install {self.name} (exit status {done.returncode}): "
                    f"{' | '.join(said)}; check the connection and npm's registry, then run it again"
                )
            if missing := self._missing(temporary):
                raise InputError(
                    f"npm {npm.version} said it had installed {self.name}, and {len(missing)} of its packages are not "
                    f"there, among them {missing[0]}; check the free disk space, then run it again"
                )
        return folder

    def _missing(self, folder: Path) -> list[str]:
        """Packages of the lock file that `folder` has not, but for optional ones."""
        locked = json.loads((self.source / "package-lock.json").read_text())["packages"]
        needed = [place for place, about in locked.items() if place and not about.get("optional")]
        return [place for place in needed if not (folder / place / "package.json").is_file()]
