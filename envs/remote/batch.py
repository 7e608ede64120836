"""A batch of Gymnasium environments in processes of another Python.

Legend: E environments, of which each process has a slice.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from trunkline.envs.base import Loss
from trunkline.envs.remote.process import RemoteCallError, RemoteError, RemoteProcess, close_all
from trunkline.envs.remote.shared import SharedArrays
from trunkline.errors import InputError

SERVER = Path(__file__).with_name("server.py")
_STARTS = 3  # in a row that may fail before a process is not replaced again


@dataclass(frozen=True)
class RemoteOptions:
    """How environments run in other processes.

    Attributes:
        python: the interpreter, a path or a name on PATH; None for this one.
        processes: how many share the environments; 0 for one a core, at most one an environment.
        timeout_s: for a step or reset of one process's share of the batch; then it counts as hung.
        start_timeout_s: for a process to start and to make its environments.
        paths: folders that the environments' modules are imported from.
        shared: whether arrays lie in shared memory; else they travel over the socket.
    """

    python: str | None = None
    processes: int = 0
    timeout_s: float = 60.0
    start_timeout_s: float = 120.0
    paths: Sequence[str] = ()
    shared: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.processes, bool) or self.processes < 0:
            raise InputError(f"processes={self.processes}; 0 for one a core, or how many")
        if min(self.timeout_s, self.start_timeout_s) <= 0:
            raise InputError(f"timeout_s={self.timeout_s}, start_timeout_s={self.start_timeout_s}; must be positive")
        if isinstance(self.paths, str):
            raise InputError(f"paths={self.paths!r}; give a list of folders")
        object.__setattr__(self, "paths", tuple(self.paths))
        for path in self.paths:
            if not os.path.isdir(path):
                raise InputError(f"paths: {path} is no folder")

    @property
    def interpreter(self) -> str:
        """The interpreter's path.

        Raises:
            InputError: it is not there, or cannot be run.
        """
        if self.python is None:
            return sys.executable
        found = shutil.which(os.path.expanduser(self.python))
        if found is None:
            raise InputError(f"python={self.python}: no such interpreter; give the path of one, e.g. VENV/bin/python")
        return os.path.abspath(found)

    def environment(self) -> dict[str, str]:
        """Variables for the processes: ours, without those that lead another interpreter to our packages."""
        hidden = () if self.interpreter == sys.executable else ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if name not in hidden}


class _Worker:
    """A process and its slice of the batch."""

    def __init__(self, index: int, rows: range) -> None:
        self.index = index
        self.rows = rows
        self.process: RemoteProcess | None = None

    @property
    def slice(self) -> slice:
        return slice(self.rows.start, self.rows.stop)


class RemoteBatch:
    """E environments of one id in processes, reset and stepped together.

    A process that hangs, dies or sends garbage is ended; the episodes of its environments are lost (see
    `take_losses`), and it is replaced when one of them is reset. So a reset or a step raises only if no process
    can be started. An environment that raises an exception loses its episode alone.

    Args:
        id: a Gymnasium id, or "module:callable", as the other interpreter knows it.
        count: E.
        kwargs: handed to every environment.
        options: how they run.

    Attributes:
        observation_spaces: of one environment, by name; keys of nested dictionaries are joined by "/", an observation
            that is no dictionary is "observation". Only those that hold numbers.
        left_out: descriptions of the other observation spaces, by name.
        action_space: of one environment; a Discrete one counts from 0.
        fps: steps a second, if the environment says so.
        max_steps: the environment's own time limit, if it has one.
        arrays: "observation/<name>" (E, *shape), "reward", "terminated", "truncated", "success" (E,): what the last
            reset or step left; the next one overwrites them. Those of a lost environment are zero.

    Raises:
        InputError: the interpreter, the id or `kwargs` are wrong; what the other side says is in the message.
        RemoteError: a process did not start.
    """

    def __init__(
        self, id: str, count: int, kwargs: Mapping[str, Any] | None = None, options: RemoteOptions | None = None
    ) -> None:
        self.options = options or RemoteOptions()
        self.count = count
        processes = min(self.options.processes or os.cpu_count() or 1, count)
        bounds = np.linspace(0, count, processes + 1).astype(int).tolist()
        self._workers = [_Worker(i, range(bounds[i], bounds[i + 1])) for i in range(processes)]
        self._id = id
        self._make = {"id": id, "kwargs": dict(kwargs or {}), "paths": list(map(os.path.abspath, self.options.paths))}
        self._shared = SharedArrays()
        self.arrays: dict[str, np.ndarray] = {}
        self._losses: dict[int, Loss] = {}
        self._forms: dict[str, tuple[tuple[int, ...], str]] = {}  # shape and dtype of each array, once they are known
        try:
            self._open(self._workers)
        except BaseException:
            self.close()
            raise

    def reset(self, ids: Iterable[int], seeds: Iterable[int | None]) -> None:
        """Begin episodes in environments `ids`, replacing processes that were ended.

        Raises:
            RemoteError: a process could not be replaced.
        """
        seed_of = dict(zip(ids, seeds, strict=True))
        for i in seed_of:
            self._losses.pop(i, None)
        wanted = {worker: [i for i in worker.rows if i in seed_of] for worker in self._workers}
        self._replace([worker for worker, rows in wanted.items() if rows and worker.process is None])
        calls = {
            worker: {"rows": [i - worker.rows.start for i in rows], "seeds": [seed_of[i] for i in rows]}
            for worker, rows in wanted.items()
            if rows
        }
        self._call("reset", calls)

    def step(self, actions: np.ndarray, ids: np.ndarray | None = None) -> None:
        """Step environments `ids` (None: all); `actions` (E, *shape of the action space)."""
        own = self.arrays["action"]
        own[...] = actions
        if isinstance(self.action_space, spaces.Discrete):
            own += self._action_start
        chosen = None if ids is None else np.zeros(self.count, bool)
        if chosen is not None:
            chosen[ids] = True
        calls: dict[_Worker, dict[str, Any]] = {}
        for worker in self._workers:
            rows = None if chosen is None else np.flatnonzero(chosen[worker.slice]).tolist()
            if worker.process is None or rows == []:
                continue
            calls[worker] = {"rows": rows}
            if not self.options.shared:
                calls[worker]["actions"] = own[worker.slice]
        self._call("step", calls)

    def take_losses(self) -> dict[int, Loss]:
        """Environments whose episodes were lost since the last call of this, and why; reset them."""
        if not self._losses:
            return {}
        losses, self._losses = self._losses, {}
        return losses

    def close(self) -> None:
        """End the processes and let go of the arrays."""
        close_all(worker.process for worker in self._workers if worker.process is not None)
        for worker in self._workers:
            worker.process = None
        self.arrays = {}
        self._shared.close()

    # Calls

    def _call(self, method: str, calls: Mapping[_Worker, Mapping[str, Any]]) -> None:
        """Send a call to every process before any answer is read, then take in the answers."""
        timeout_s = self.options.timeout_s
        asked = []
        for worker, args in calls.items():
            assert worker.process is not None
            self._shared.arrays["present"][worker.index, 0] = -1
            try:
                worker.process.send(method, timeout_s, **args)
                asked.append(worker)
            except (RemoteError, InputError) as error:
                self._lose(worker, str(error))
        for worker in asked:
            assert worker.process is not None
            try:
                self._take(worker, worker.process.receive())
            except (RemoteError, RemoteCallError, InputError) as error:
                self._lose(worker, str(error))

    def _take(self, worker: _Worker, value: Any) -> None:
        try:
            failed = [(worker.rows[row], str(why)) for row, why in value["failed"]]
            if not self.options.shared:
                for name, array in value["arrays"].items():
                    self.arrays[name][worker.slice] = array
        except (TypeError, LookupError, ValueError) as error:
            raise RemoteError(f"{self._id}: an answer without its parts: {error!r}") from error
        for i, why in failed:
            self._zero(slice(i, i + 1))
            self._losses[i] = Loss(f"environment {i} raised {why}")

    def _lose(self, worker: _Worker, reason: str) -> None:
        """End a process: its episodes are lost, by the doing of the environment that was at work, if known."""
        assert worker.process is not None
        worker.process.close()
        worker.process = None
        present = int(self._shared.arrays["present"][worker.index, 0])
        blamed = worker.rows[present : present + 1] if 0 <= present < len(worker.rows) else worker.rows
        for i in worker.rows:
            self._losses[i] = Loss(reason, blamed=i in blamed)
        self._zero(worker.slice)

    def _zero(self, rows: slice) -> None:
        for name, array in self.arrays.items():
            if name != "action":
                array[rows] = 0

    # Starting

    def _replace(self, workers: Sequence[_Worker]) -> None:
        for left in reversed(range(_STARTS)):
            try:
                self._open([worker for worker in workers if worker.process is None])
                return
            except RemoteError:
                if not left:
                    raise

    def _open(self, workers: Sequence[_Worker]) -> None:
        """Start processes and make their environments, all side by side."""
        options = self.options
        argv = [options.interpreter, "-u", str(SERVER)]
        started: dict[_Worker, RemoteProcess] = {}
        try:
            for worker in workers:
                started[worker] = RemoteProcess(
                    argv,
                    options.environment(),
                    name=self._id,
                    timeout_s=options.timeout_s,
                    start_timeout_s=options.start_timeout_s,
                    pass_fds=[self._shared.fd],
                    wait=False,
                )
            for worker, process in started.items():
                process.send("make", options.start_timeout_s, count=len(worker.rows), **self._make)
            for process in started.values():
                self._learn(process.receive())
            for worker, process in started.items():
                self._share(worker, process)
        except BaseException as error:
            close_all(started.values())
            if isinstance(error, RemoteCallError):
                raise RemoteError(str(error)) from error
            raise
        for worker, process in started.items():
            worker.process = process

    def _learn(self, about: Any) -> None:
        """Take in what the first process says of its environments; the others must say the same."""
        try:
            forms = {name: (tuple(shape), str(dtype)) for name, (shape, dtype) in about["arrays"].items()}
            if self._forms:
                if forms != self._forms:
                    raise InputError(f"{self._id}: its spaces differ between processes; they must not")
                return
            described = {name: read_space(value) for name, value in about["observation"].items()}
            self.observation_spaces = {name: space for name, space in described.items() if space is not None}
            self.left_out = {name: about["observation"][name]["text"] for name in described if described[name] is None}
            action = read_space(about["action"])
            if action is None:
                raise InputError(f"{self._id} acts in {about['action']['text']}, which is not supported")
            self.action_space: spaces.Space[Any] = action
            self._action_start = int(about["action"].get("start", 0))
            self.fps: float | None = about["fps"]
            self.max_steps: int | None = about["max_steps"]
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise RemoteError(f"{self._id}: make was answered without its parts: {error!r}") from error
        self._forms = forms
        shapes = {name: ((self.count, *shape), dtype) for name, (shape, dtype) in forms.items()}
        # Where each process says which environment is at work; a cache line each.
        self._shared.allocate({**shapes, "present": ((len(self._workers), 16), "<i4")})
        self.arrays = {name: array for name, array in self._shared.arrays.items() if name != "present"}

    def _share(self, worker: _Worker, process: RemoteProcess) -> None:
        if not self.options.shared:
            return
        layout = {
            name: self._shared.offsets[name] + worker.rows.start * array[:1].nbytes
            for name, array in self.arrays.items()
        }
        present = self._shared.offsets["present"] + worker.index * self._shared.arrays["present"][:1].nbytes
        process.call("share", fd=self._shared.fd, size=self._shared.size, layout=layout, present=present)


def read_space(described: Mapping[str, Any]) -> spaces.Space[Any] | None:
    """The Gymnasium space that a server described (see `server.describe`); None if it holds no numbers."""
    kind = described["kind"]
    if kind == "box":
        return spaces.Box(described["low"], described["high"], dtype=np.dtype(described["dtype"]).type)
    if kind == "discrete":
        return spaces.Discrete(described["n"])
    if kind == "multi_discrete":
        return spaces.MultiDiscrete(np.array(described["nvec"]))
    if kind == "multi_binary":
        return spaces.MultiBinary(described["shape"])
    return None
