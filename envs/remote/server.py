"""Gymnasium environments served over a unix socket, in whatever Python they need.

This file is run by path in another interpreter, so it stands alone: the standard library, msgpack, NumPy, and
gymnasium (or gym, also of before 0.26) where environments are made. trunkline's own end imports the wire format from
here, so that it is written once. It runs on Python 3.9 and later.

    python server.py --socket PATH

Another program can serve methods of its own with `serve`. The protocol: a frame is a 4-byte big-endian length and a
msgpack map.

    {"type": "hello", "protocol": 1, "server", "version"}   server -> client; then {"type": "hello", "protocol": 1} back
    {"type": "call", "id", "method", "args"}                 client -> server
    {"type": "result", "id", "value"}, or {"type": "error", "id", "message", "kind"}

Arrays travel as {"__nd__": 1, "dtype": "<f4", "shape": [..], "data": bytes} in C order. Arrays of environments need not
travel: after `share` they lie in memory that both processes have mapped, and a frame only says that they are there.
"""

from __future__ import annotations

import importlib
import inspect
import mmap
import os
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

try:
    import msgpack
    import numpy as np
except ImportError as _error:
    raise SystemExit(f"{_error}; run: {sys.executable} -m pip install msgpack numpy gymnasium") from None

PROTOCOL = 1
MAX_FRAME = 64 << 20
HEADER = struct.Struct(">I")
DTYPES = ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")

Methods = Mapping[str, Callable[..., Any]]


class WireError(ValueError):
    """What arrived, or was to be sent, is not what the protocol allows."""


class InputError(ValueError):
    """A mistake of the caller's; it arrives as trunkline.errors.InputError."""


def pack(message: Mapping[str, Any]) -> bytes:
    """The body of a frame.

    Raises:
        WireError: a value that has no form in the protocol.
    """
    try:
        body: bytes = msgpack.packb(message, default=_pack_other, use_bin_type=True)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"cannot be sent: {error}") from None
    return body


def _pack_other(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        raise TypeError(f"a {type(value).__name__} has no form in the protocol")
    array = np.asarray(value, order="C")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if array.dtype.str not in DTYPES:
        raise TypeError(f"an array of dtype {array.dtype} has no form in the protocol")
    data = array.reshape(-1).view(np.uint8).data
    return {"__nd__": 1, "dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def unpack(frame: Any) -> Any:
    """The message in a frame's body (any buffer). Its arrays are read-only.

    Raises:
        WireError: not msgpack, or an array whose parts do not fit together.
    """
    try:
        return msgpack.unpackb(frame, object_hook=_unpack_array, raw=False)
    except WireError:
        raise
    except ValueError as error:
        raise WireError(f"{len(frame)} bytes that are not msgpack ({error or type(error).__name__})") from None


def _unpack_array(value: dict[str, Any]) -> Any:
    if "__nd__" not in value:
        return value
    dtype, shape, data = value.get("dtype"), value.get("shape"), value.get("data")
    sound = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if value["__nd__"] != 1 or dtype not in DTYPES or not sound or not isinstance(data, bytes):
        raise WireError(f"an array of dtype {dtype!r} and shape {shape!r} with {type(data).__name__} as its data")
    assert isinstance(shape, list)
    wanted = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if len(data) != wanted:
        raise WireError(f"an array {dtype} of shape {shape} with {len(data)} bytes instead of {wanted}")
    return np.frombuffer(data, dtype).reshape(shape)


class Channel:
    """Frames over a connected socket.

    Args:
        connection: the socket; the channel sets its timeouts.
        limit: bytes of the longest frame, sent or received.
    """

    def __init__(self, connection: socket.socket, limit: int = MAX_FRAME) -> None:
        self.socket = connection
        self.limit = limit
        self._buffer = bytearray(1 << 16)  # reused by all frames; grows to the longest one
        self._start = self._end = 0  # what has arrived and was not read yet

    def send(self, message: Mapping[str, Any], deadline: float | None = None) -> None:
        """Send one message.

        Raises:
            WireError: it cannot be sent; nothing was.
            TimeoutError: `deadline`, on the clock of `time.monotonic`, has passed.
            OSError: the connection is broken.
        """
        body = pack(message)
        if len(body) > self.limit:
            raise WireError(f"a frame of {len(body)} bytes is over the limit of {self.limit}")
        parts = [memoryview(HEADER.pack(len(body))), memoryview(body)]
        while parts:
            self._set_timeout(deadline)
            try:
                sent = self.socket.sendmsg(parts)
            except (socket.timeout, BlockingIOError):  # noqa: UP041 (not TimeoutError before Python 3.10)
                raise TimeoutError from None
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if parts:
                parts[0] = parts[0][sent:]

    def receive(self, deadline: float | None = None) -> Any:
        """The next message.

        Raises:
            WireError: what arrived is not a message.
            EOFError: the other side has closed the connection.
            TimeoutError: `deadline`, on the clock of `time.monotonic`, has passed.
            OSError: the connection is broken.
        """
        self._fill(HEADER.size, deadline)
        (length,) = HEADER.unpack_from(self._buffer, self._start)
        if length > self.limit:
            raise WireError(f"a frame of {length} bytes, over the limit of {self.limit}")
        self._fill(HEADER.size + length, deadline)
        first = self._start + HEADER.size
        with memoryview(self._buffer)[first : first + length] as body:
            message = unpack(body)
        self._start = first + length
        if self._start == self._end:
            self._start = self._end = 0
        return message

    def _fill(self, count: int, deadline: float | None) -> None:
        if len(self._buffer) - self._start < count:
            held = self._buffer[self._start : self._end]
            if len(self._buffer) < count:
                self._buffer = bytearray(count)
            self._buffer[: len(held)] = held
            self._start, self._end = 0, len(held)
        while self._end - self._start < count:
            self._set_timeout(deadline)
            with memoryview(self._buffer)[self._end :] as free:
                try:
                    got = self.socket.recv_into(free)
                except (socket.timeout, BlockingIOError):  # noqa: UP041
                    raise TimeoutError from None
            if not got:
                held_bytes = self._end - self._start
                raise EOFError(f"in a frame, after {held_bytes} of {count} bytes" if held_bytes else "")
            self._end += got

    def _set_timeout(self, deadline: float | None) -> None:
        # Past the deadline, what is already there is still taken: the reader may have been busy with others.
        self.socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.0))

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def serve(methods: Methods, name: str, version: str, argv: Sequence[str] | None = None) -> None:
    """Connect to the socket named in the arguments and answer calls, one at a time, until the connection ends.

    Args:
        methods: what can be called; arguments come by keyword. An exception is answered as an error, with its class's
            name as the kind.
        name: said in the hello.
        version: likewise.
        argv: the arguments, with `--socket PATH` among them; None for the process's own.
    """
    argv = sys.argv if argv is None else argv
    if "--socket" not in argv[:-1]:
        raise SystemExit("no --socket PATH among the arguments; trunkline starts this process")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(argv[argv.index("--socket") + 1])
    channel = Channel(connection)
    try:
        channel.send({"type": "hello", "protocol": PROTOCOL, "server": name, "version": version})
        _greeted(channel.receive())
        while True:
            channel.send(_answer(methods, name, channel.receive()))
    except (EOFError, ConnectionError):
        return  # the client is gone, or done
    except WireError as error:
        raise SystemExit(f"{name}: the client sent {error}") from None
    finally:
        channel.close()


def _greeted(message: Any) -> None:
    if not isinstance(message, dict) or message.get("type") != "hello" or message.get("protocol") != PROTOCOL:
        raise WireError(f"{message!r:.200} instead of a hello of protocol {PROTOCOL}")


def _answer(methods: Methods, name: str, call: Any) -> dict[str, Any]:
    if not isinstance(call, dict) or call.get("type") != "call" or not isinstance(call.get("id"), int):
        raise WireError(f"{call!r:.200} instead of a call with an id")
    try:
        if call.get("method") not in methods:
            raise InputError(f"{name} has no method {call.get('method')!r}; known: {', '.join(sorted(methods))}")
        value = methods[call["method"]](**(call.get("args") or {}))
        return {"type": "result", "id": call["id"], "value": value}
    except Exception as error:  # whatever a method raises is the caller's to know
        if not isinstance(error, InputError):
            traceback.print_exc()
        return {"type": "error", "id": call["id"], "message": str(error), "kind": type(error).__name__}


class Environments:
    """The methods: a batch of environments of one id, and the arrays that they read and write.

    An environment that raises loses its episode and is made anew at its next reset; the others go on.
    """

    def __init__(self) -> None:
        self._make: Callable[[], Any] = _nothing
        self._envs: list[Any] = []
        self._failed: set[int] = set()
        self._classic = False  # gym before 0.26: seeds are set apart, a step returns four values
        self._paths: dict[str, tuple[str, ...]] = {}  # of each array of observations within an observation
        self._arrays: dict[str, np.ndarray] = {}
        self._present = np.full(1, -1, np.int32)
        self._shared = False

    def methods(self) -> Methods:
        """What can be called, by name."""
        return {"make": self.make, "share": self.share, "reset": self.reset, "step": self.step, "ping": _ping}

    def make(
        self, id: str, count: int, kwargs: Mapping[str, Any] | None = None, paths: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Make `count` environments.

        Args:
            id: a Gymnasium id (also "module:Id-v0"), or "module:callable" of one's own.
            count: how many.
            kwargs: handed to every one.
            paths: folders to import from.

        Returns:
            {"observation": {name: space}, "action": space, "fps", "max_steps"}; see `describe`. The parts of nested
            dictionaries are named with "/" between the keys; an observation that is no dictionary is "observation".
        """
        sys.path[:0] = [path for path in paths if path not in sys.path]
        self.close()
        make = _maker(id)
        self._make = lambda: make(**(kwargs or {}))
        try:
            self._envs = [self._make() for _ in range(count)]
        except Exception as error:
            raise InputError(f"{sys.executable} cannot make {id!r}: {type(error).__name__}: {error}") from error
        first = self._envs[0]
        reset = inspect.signature(getattr(first, "unwrapped", first).reset).parameters.values()
        self._classic = not any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in reset)
        leaves = dict(_leaves(first.observation_space, ()))
        self._paths = {"/".join(path) or "observation": path for path in leaves}
        spaces = {"/".join(path) or "observation": describe(space) for path, space in leaves.items()}
        action = describe(first.action_space)
        forms = {f"observation/{name}": _form(space) for name, space in spaces.items() if "dtype" in space}
        self._paths = {name: path for name, path in self._paths.items() if f"observation/{name}" in forms}
        if "dtype" in action:
            forms["action"] = _form(action)
        forms.update(reward=((), "<f8"), terminated=((), "|b1"), truncated=((), "|b1"), success=((), "|b1"))
        self._arrays = {name: np.zeros((count, *shape), dtype) for name, (shape, dtype) in forms.items()}
        self._shared = False
        spec, metadata = getattr(first, "spec", None), getattr(first, "metadata", None) or {}
        return {
            "observation": spaces,
            "action": action,
            "fps": metadata.get("render_fps") or metadata.get("video.frames_per_second"),
            "max_steps": getattr(spec, "max_episode_steps", None),
            "arrays": {name: [list(shape), dtype] for name, (shape, dtype) in forms.items()},
        }

    def share(self, fd: int, size: int, layout: Mapping[str, int], present: int) -> None:
        """Keep the arrays in memory that the client has mapped too.

        Args:
            fd: file descriptor of the memory, inherited.
            size: its bytes.
            layout: where in it each array of `make` begins.
            present: where in it an int32 tells which environment is being stepped or reset (−1: none), so that the
                client knows whose doing it was when this process dies.
        """
        memory = mmap.mmap(fd, size)
        for name, array in self._arrays.items():
            self._arrays[name] = np.ndarray(array.shape, array.dtype, memory, layout[name])
        self._present = np.ndarray((1,), np.int32, memory, present)
        self._shared = True

    def reset(self, rows: Sequence[int], seeds: Sequence[int | None]) -> dict[str, Any]:
        """Begin episodes in the environments `rows`; see `step` for what is returned."""
        seed_of = dict(zip(rows, seeds))  # noqa: B905 (not before Python 3.10)
        return self._each(rows, lambda row: self._reset(row, seed_of[row]))

    def step(self, rows: Sequence[int] | None = None, actions: np.ndarray | None = None) -> dict[str, Any]:
        """Step the environments `rows` (None: all).

        Args:
            rows: which.
            actions: of all environments; None if they lie in shared memory.

        Returns:
            {"failed": [[row, why], …]} and, without shared memory, "arrays": {name: array}.
        """
        if actions is not None:
            self._arrays["action"][:] = actions
        return self._each(range(len(self._envs)) if rows is None else rows, self._step)

    def _each(self, rows: Iterable[int], act: Callable[[int], None]) -> dict[str, Any]:
        failed: list[tuple[int, str]] = []
        for row in rows:
            self._present[0] = row
            try:
                act(row)
            except Exception as error:  # the client hears of it, and loses this episode alone
                traceback.print_exc()
                failed.append((row, f"{type(error).__name__}: {error}"))
                self._failed.add(row)
        self._present[0] = -1
        if self._shared:
            return {"failed": failed}
        return {"failed": failed, "arrays": {name: a for name, a in self._arrays.items() if name != "action"}}

    def _reset(self, row: int, seed: int | None) -> None:
        if row in self._failed:
            try:
                self._envs[row].close()
            except Exception:  # what failed may fail again; a new one is made all the same
                traceback.print_exc()
            self._envs[row] = self._make()
            self._failed.discard(row)
        env = self._envs[row]
        if self._classic:
            if seed is not None:
                env.seed(seed)
            observation = env.reset()
        else:
            observation, _ = env.reset(seed=seed)
        for name in ("reward", "terminated", "truncated", "success"):
            self._arrays[name][row] = 0
        self._write(row, observation)

    def _step(self, row: int) -> None:
        action: Any = self._arrays["action"][row]
        # A number for a Discrete space; else an array of the environment's own, as it may keep it.
        action = int(action) if action.ndim == 0 else action.copy()
        result = self._envs[row].step(action)
        if len(result) == 5:
            observation, reward, terminated, truncated, info = result
        else:
            observation, reward, done, info = result
            truncated = bool(done and info.get("TimeLimit.truncated", False))
            terminated = bool(done and not truncated)
        arrays = self._arrays
        arrays["reward"][row] = reward
        arrays["terminated"][row] = terminated
        arrays["truncated"][row] = truncated
        arrays["success"][row] = float(info.get("is_success", info.get("success", 0))) > 0
        self._write(row, observation)

    def _write(self, row: int, observation: Any) -> None:
        for name, path in self._paths.items():
            value = observation
            for key in path:
                value = value[key]
            target = self._arrays[f"observation/{name}"]
            value = np.asarray(value)
            if value.shape != target.shape[1:]:
                raise ValueError(f"observation {name!r} has shape {value.shape}, its space says {target.shape[1:]}")
            target[row] = value

    def close(self) -> None:
        """Close the environments."""
        while self._envs:
            self._envs.pop().close()
        self._failed.clear()


def describe(space: Any) -> dict[str, Any]:
    """A space as the protocol tells it: its kind, shape and dtype, and bounds or numbers of choices.

    Spaces of gym and gymnasium are unlike classes of like names, so it goes by names. Of a kind that has no arrays
    ("other", e.g. Text) nothing is ever sent.
    """
    kind = type(space).__name__
    if kind == "Box":
        dtype = np.dtype(space.dtype).newbyteorder("<").str
        return {"kind": "box", "shape": list(space.shape), "dtype": dtype, "low": space.low, "high": space.high}
    if kind == "Discrete":
        start = int(getattr(space, "start", 0))
        return {"kind": "discrete", "shape": [], "dtype": "<i8", "n": int(space.n), "start": start}
    if kind == "MultiDiscrete":
        nvec = np.asarray(space.nvec, np.int64)
        return {"kind": "multi_discrete", "shape": list(nvec.shape), "dtype": "<i8", "nvec": nvec}
    if kind == "MultiBinary":
        return {"kind": "multi_binary", "shape": list(space.shape), "dtype": "|i1"}
    return {"kind": "other", "text": f"{space!r:.500}"}


def _leaves(space: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if type(space).__name__ == "Dict":
        for key, part in space.spaces.items():
            yield from _leaves(part, (*path, str(key)))
    else:
        yield path, space


def _form(space: Mapping[str, Any]) -> tuple[tuple[int, ...], str]:
    return tuple(space["shape"]), space["dtype"]


def _maker(id: str) -> Callable[..., Any]:
    module, colon, name = id.partition(":")
    if colon:
        try:
            made = getattr(importlib.import_module(module), name, None)
        except ImportError as error:
            raise InputError(f"{sys.executable} cannot import {module!r} of {id!r}: {error}") from error
        if callable(made):
            return lambda **kwargs: made(**kwargs)
    try:
        gymnasium = importlib.import_module("gymnasium")
    except ImportError:
        try:
            gymnasium = importlib.import_module("gym")
        except ImportError:
            raise InputError(
                f"{sys.executable} has neither gymnasium nor gym; run: {sys.executable} -m pip install gymnasium"
            ) from None
    return lambda **kwargs: gymnasium.make(id, **kwargs)


def _nothing() -> Any:
    raise InputError("no environments; call make first")


def _ping(value: Any = None) -> Any:
    return value


def main() -> None:
    """Serve Gymnasium environments until the client is gone."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [
        path for path in sys.path if os.path.abspath(path or os.curdir) != here
    ]  # not importable by accident
    environments = Environments()
    try:
        serve(environments.methods(), "gymnasium", f"{PROTOCOL}.0")
    finally:
        environments.close()


if __name__ == "__main__":
    main()
