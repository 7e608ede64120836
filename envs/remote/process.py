"""A server in a process of its own: started, called with deadlines, and ended for certain.

The client listens on a socket in a private folder, starts the program with `--socket PATH`, and the program connects.
The folder is removed as soon as it has. The program leads a session and a process group of its own, so everything it
starts ends with it. A second, tiny process (the keeper) waits for a pipe of this process to close and then kills the
group: that happens however this process ends, even if the program hangs.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from trunkline.envs.remote.server import MAX_FRAME, PROTOCOL, Channel, WireError
from trunkline.errors import InputError

OUTPUT_KEPT = 4096  # bytes of a program's last output, for error messages
_LONGEST_SOCKET_PATH = 100  # the systems' limits are 104 to 108
_KEEPER = 'read -r _; kill -KILL "-$1"; rm -rf -- "$2"'  # `read` returns when its pipe closes


class RemoteError(RuntimeError):
    """A server did not start, hung, died or sent garbage; its process has been ended."""


class RemoteCallError(RuntimeError):
    """A server answered a call with an error; it goes on serving.

    Attributes:
        kind: the class of the exception there.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class RemoteProcess:
    """A server and the connection to it. Not for several threads at once; a context manager that closes it.

    Args:
        argv: the program and its arguments; `--socket PATH` is added.
        env: its environment variables; None for this process's.
        cwd: its working directory.
        name: what it is called in messages, before its hello.
        timeout_s: the deadline of calls that name none.
        start_timeout_s: from the start to the hello.
        grace_s: how long it may take to end by itself, and again after SIGTERM, before it is killed.
        max_frame: bytes of the longest frame.
        pass_fds: file descriptors that it inherits, under the same numbers.
        wait: whether to wait for its hello now; else the first call does, and several can start side by side.

    Attributes:
        server: (name, version) from its hello.
        pid: its process id, also that of its process group.

    Raises:
        InputError: the program is not there or cannot be run.
        RemoteError: it did not say hello in time, or of another protocol.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        cwd: str | os.PathLike[str] | None = None,
        name: str | None = None,
        timeout_s: float = 60.0,
        start_timeout_s: float = 60.0,
        grace_s: float = 2.0,
        max_frame: int = MAX_FRAME,
        pass_fds: Sequence[int] = (),
        wait: bool = True,
    ) -> None:
        if not argv:
            raise InputError("argv=[]; name the program to run")
        if min(timeout_s, start_timeout_s) <= 0 or grace_s < 0:
            raise InputError(f"timeout_s={timeout_s}, start_timeout_s={start_timeout_s}, grace_s={grace_s}: positive")
        self.server = (name or os.path.basename(argv[0]), "")
        self.timeout_s = timeout_s
        self.start_timeout_s = start_timeout_s
        self.max_frame = max_frame
        self._started = time.monotonic()
        self._channel: Channel | None = None
        self._calls: deque[tuple[int, str, float, float]] = deque()  # owed an answer: id, method, until when, timeout
        self._next_id = 0
        self._output: deque[bytes] = deque()
        folder = tempfile.mkdtemp(prefix="trunkline-remote-")  # mode 0700
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sockets = [self._listener]
        try:
            path = os.path.join(folder, "socket")
            if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
                raise InputError(f"{path} is too long for a socket; set TMPDIR to a shorter folder")
            self._listener.bind(path)
            self._listener.listen(1)
            self._popen = _start([*argv, "--socket", path], env, cwd, pass_fds)
            keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "keeper", str(self._popen.pid), folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._listener.close()
            shutil.rmtree(folder)
            raise
        self.pid = self._popen.pid
        self._folder = folder
        self._reader = threading.Thread(target=_keep_output, args=(self._popen, self._output), daemon=True)
        self._reader.start()
        self._end = weakref.finalize(
            self, _end, os.getpid(), self._popen, keeper, self._sockets, self._reader, folder, grace_s
        )
        if wait:
            self.wait_ready()

    def __enter__(self) -> "RemoteProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can still be called."""
        return self._end.alive

    @property
    def pending(self) -> int:
        """Calls that were sent and not yet answered."""
        return len(self._calls)

    def wait_ready(self) -> None:
        """Wait for its hello.

        Raises:
            RemoteError: it did not come in time, or is of another protocol.
        """
        if self._channel is not None:
            return
        deadline = self._started + self.start_timeout_s
        self._check_alive("hello")
        self._listener.settimeout(0.02)
        connection = None
        while connection is None:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                if (ending := _ending(self._popen)) is not None:
                    raise self._fail(f"ended before it connected ({ending})") from None
                if time.monotonic() > deadline:
                    raise self._fail(f"did not connect within {self.start_timeout_s:g} s") from None
        self._sockets.append(connection)
        self._channel = Channel(connection, self.max_frame)
        self._listener.close()
        shutil.rmtree(self._folder)
        hello = self._receive("hello", deadline, self.start_timeout_s)
        if not isinstance(hello, dict) or hello.get("type") != "hello":
            raise self._fail(f"sent {_shortly(hello)} instead of its hello")
        if hello.get("protocol") != PROTOCOL:
            raise self._fail(
                f"speaks protocol {hello.get('protocol')!r}, this side {PROTOCOL}; install versions that fit together"
            )
        if not isinstance(hello.get("server"), str) or not isinstance(hello.get("version"), str):
            raise self._fail(f"sent a hello without its name and version: {_shortly(hello)}")
        self.server = hello["server"], hello["version"]
        self._send("hello", {"type": "hello", "protocol": PROTOCOL}, deadline, self.start_timeout_s)

    def call(self, method: str, timeout_s: float | None = None, **args: Any) -> Any:
        """Call a method and wait for its value. Arrays in the value are read-only.

        Raises:
            InputError: what the server says is the caller's mistake, or arguments that cannot be sent.
            RemoteCallError: the method failed; the server goes on.
            RemoteError: no answer in time, or none that can be read; the process has been ended.
        """
        self.send(method, timeout_s, **args)
        return self.receive()

    def send(self, method: str, timeout_s: float | None = None, **args: Any) -> None:
        """Send a call whose answer is read later, but due `timeout_s` from now; answers come in the order of the calls.

        Raises:
            InputError: arguments that cannot be sent.
            RemoteError: as `call`.
        """
        self.wait_ready()
        self._check_alive(method)
        timeout_s = timeout_s or self.timeout_s
        deadline = time.monotonic() + timeout_s
        message = {"type": "call", "id": self._next_id, "method": method, "args": args}
        self._send(method, message, deadline, timeout_s)
        self._calls.append((self._next_id, method, deadline, timeout_s))
        self._next_id += 1

    def receive(self) -> Any:
        """The value of the oldest call that was sent; errors as `call`."""
        assert self._calls, "an answer is asked for, but nothing was called"
        number, method, deadline, timeout_s = self._calls.popleft()
        self._check_alive(method)
        answer = self._receive(method, deadline, timeout_s)
        kind = answer.get("type") if isinstance(answer, dict) else None
        if kind not in ("result", "error") or answer.get("id") != number or ("value" in answer) != (kind == "result"):
            raise self._fail(f"sent {_shortly(answer)} in answer to {method}, call {number}")
        if kind == "result":
            return answer["value"]
        message = f"{self.server[0]}: {method}: {answer.get('message')}"
        if answer.get("kind") == "InputError":
            raise InputError(message)
        raise RemoteCallError(message, str(answer.get("kind")))

    def begin_close(self) -> None:
        """Ask the server to end, by closing the connection; `close` then waits for it."""
        if self._channel is not None:
            self._channel.close()

    def close(self) -> None:
        """End the process and whatever it started, and wait until it has."""
        self.begin_close()
        self._end()

    def _send(self, method: str, message: Mapping[str, Any], deadline: float, timeout_s: float) -> None:
        assert self._channel is not None
        try:
            self._channel.send(message, deadline)
        except WireError as error:
            raise InputError(f"{self.server[0]}: arguments of {method}: {error}") from None
        except TimeoutError:
            raise self._fail(f"did not take the call of {method} within {timeout_s:g} s") from None
        except OSError as error:
            raise self._fail(f"was gone when {method} was called ({self._how(str(error.strerror))})") from None

    def _receive(self, method: str, deadline: float, timeout_s: float) -> Any:
        assert self._channel is not None
        try:
            return self._channel.receive(deadline)
        except TimeoutError:
            raise self._fail(f"did not answer {method} within {timeout_s:g} s") from None
        except WireError as error:
            raise self._fail(f"sent {error} in answer to {method}") from None
        except (EOFError, OSError) as error:
            how = self._how(str(error) if isinstance(error, EOFError) else str(error.strerror))
            raise self._fail(f"closed the connection before it answered {method} ({how})") from None

    def _how(self, where: str) -> str:
        """How a connection ended: what the socket said, and what became of the process."""
        _wait(self._popen, 0.05)  # a process that dies closes its sockets a moment before it has ended
        return "; ".join(part for part in (where, _ending(self._popen) or "it still ran") if part)

    def _check_alive(self, method: str) -> None:
        if not self.alive:
            raise RemoteError(f"{self.server[0]} (process {self.pid}): {method}: the process has been ended")

    def _fail(self, what: str) -> RemoteError:
        """End the process; the error that says why, with the last that the program printed."""
        self.begin_close()
        if (registered := self._end.detach()) is not None:
            _, _, arguments, _ = registered
            _end(*arguments, patient=False)
        said = b"".join(self._output)[-OUTPUT_KEPT:].decode(errors="replace").split("\n")
        lines = " | ".join(line.strip() for line in said if line.strip())
        return RemoteError(
            f"{self.server[0]} (process {self.pid}) {what}" + (f"; it last printed: {lines}" if lines else "")
        )


def close_all(processes: Iterable[RemoteProcess]) -> None:
    """Close several side by side, so that they cost the time of the slowest."""
    processes = list(processes)
    for process in processes:
        process.begin_close()
    for process in processes:
        process.close()


def _start(
    argv: Sequence[str], env: Mapping[str, str] | None, cwd: str | os.PathLike[str] | None, fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(fds),
            bufsize=0,
        )
    except OSError as error:
        raise InputError(f"cannot run {argv[0]!r} ({error.strerror}); is it installed?") from None


def _keep_output(popen: subprocess.Popen[bytes], output: deque[bytes]) -> None:
    """Read what the program prints, so that it never waits for a reader, and keep the end of it."""
    assert popen.stdout is not None
    size = 0
    with popen.stdout as pipe:
        while piece := pipe.read(OUTPUT_KEPT):
            output.append(piece)
            size += len(piece)
            while size - len(output[0]) >= OUTPUT_KEPT:
                size -= len(output.popleft())


def _end(
    owner: int,
    popen: subprocess.Popen[bytes],
    keeper: subprocess.Popen[bytes],
    sockets: list[socket.socket],
    reader: threading.Thread,
    folder: str,
    grace_s: float,
    *,
    patient: bool = True,
) -> None:
    """End a program, its group and its keeper; called once, at the latest when the interpreter ends."""
    if os.getpid() != owner:
        return  # a fork's copy: the program belongs to the parent
    for each in sockets:
        each.close()
    shutil.rmtree(folder, ignore_errors=True)  # usually gone since the handshake
    if not (patient and _wait(popen, grace_s)):
        _signal(popen, signal.SIGTERM)
        _wait(popen, grace_s)
    _signal(popen, signal.SIGKILL)  # also when the program has ended: what it started may go on
    popen.wait()
    keeper.kill()
    keeper.wait()
    assert keeper.stdin is not None
    keeper.stdin.close()
    reader.join(timeout=1.0)


def _signal(popen: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS denies it for those not yet reaped
        os.killpg(popen.pid, number)


def _wait(popen: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline, pause = time.monotonic() + seconds, 0.0005
    while popen.poll() is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    return True


def _ending(popen: subprocess.Popen[bytes]) -> str | None:
    """How a program ended; None while it runs."""
    status = popen.poll()
    if status is None:
        return None
    return f"exit status {status}" if status >= 0 else f"killed by signal {-status}"


def _shortly(message: Any) -> str:
    text = repr(message)
    return text if len(text) <= 120 else text[:117] + "..."
