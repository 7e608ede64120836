"""The one place that starts Ray: loopback only, private, quiet and small.

Whoever reaches one of Ray's ports can run code. A session of ours therefore listens on the loopback address only, which
is verified after the start; it has a token of its own, whatever RAY_AUTH_MODE says, kept with its sockets and logs in a
private folder (mode 0700) that goes when the session ends, or when the next one starts if it was killed; no statistics
are sent.

A cluster that somebody else started is joined with `address`; who may talk to it is then set there. Across machines
start it with `RAY_AUTH_MODE=token` and give this process the same token (`RAY_AUTH_TOKEN` or `RAY_AUTH_TOKEN_PATH`).
"""

import fcntl
import importlib
import ipaddress
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from trunkline.errors import InputError

LOOPBACK = "127.0.0.1"
MEGABYTE = 1 << 20
# Ray adds about 70 characters to its folder; a Unix socket's path may have 107.
_MAX_FOLDER = 36
_PREFIX, _ALIVE = "trunkline-", "alive"


@contextmanager
def ray_session(
    num_cpus: int | None = None, address: str | None = None, object_store_mb: int = 1024, num_gpus: int | None = None
) -> Iterator[None]:
    """Run the body with Ray up. Inside another session (or after `ray.init`) that one is used and left running.

    Args:
        num_cpus: CPUs that actors may share; None for the machine's.
        address: of a running cluster to join, e.g. "auto" or "10.0.0.1:6379"; None starts a private one.
        object_store_mb: memory, at most, for episodes and fragments on their way; what does not fit goes to disk.
        num_gpus: GPUs that actors may share; None for the machine's.

    Raises:
        InputError: no cluster at `address`, or sizes that make no sense.
        RuntimeError: Ray listens on an address other than loopback.
    """
    if num_cpus is not None and num_cpus < 1:
        raise InputError(f"num_cpus={num_cpus}; a Ray session needs at least 1")
    if object_store_mb < 80:
        raise InputError(f"object_store_mb={object_store_mb}; Ray needs at least 80")
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": _python_path()}
    if address is None:
        # Ray's own switch for "this machine only", by default on under macOS and Windows. Its processes read the
        # variable, this one has read it already if Ray was imported before.
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    with _environment(environment):
        import ray

        if ray.is_initialized():
            yield
        elif address is not None:
            with _joined(address):
                yield
        else:
            with _private_session(num_cpus, num_gpus, object_store_mb):
                yield


@contextmanager
def _joined(address: str) -> Iterator[None]:
    import ray

    _refuse_dead_address(address)
    variables = {name: os.environ[name] for name in ("PYTHONPATH", "RAY_USAGE_STATS_ENABLED")}
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False, runtime_env={"env_vars": variables})
    except (ConnectionError, ValueError) as error:
        raise InputError(f"no Ray cluster at {address!r}: {error}; start one with `ray start --head`") from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_dead_address(address: str) -> None:
    """Say at once that nobody answers; Ray itself tries for minutes and then ends the process."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdigit():
        return  # "auto", "local": Ray looks for itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster at {address!r}: {error}; start one with `ray start --head`") from None


@contextmanager
def _private_session(num_cpus: int | None, num_gpus: int | None, object_store_mb: int) -> Iterator[None]:
    import ray
    from ray._private import ray_constants
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    before = listening_sockets()
    main_thread = threading.current_thread() is threading.main_thread()
    ends = signal.getsignal(signal.SIGTERM) if main_thread else None
    folder, alive = _private_folder()
    listens_everywhere, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    # Where RAY_AUTH_MODE is not set, Ray turns token authentication on by itself, also in this process.
    authentication = {"RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": None, "RAY_AUTH_TOKEN_PATH": str(token)}
    try:
        with _environment(authentication):
            AuthenticationTokenLoader.instance().reset_cache()
            try:
                ray.init(
                    num_cpus=num_cpus,
                    num_gpus=num_gpus,
                    object_store_memory=object_store_mb * MEGABYTE,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                    _node_ip_address=LOOPBACK,
                    _temp_dir=str(folder / "r"),  # Ray opens this one to everybody; its parent stays closed
                )
                if ends is not None:
                    signal.signal(signal.SIGTERM, ends)  # Ray's own handler ends the process without a word
                _verify_loopback(before)
                yield
            finally:
                ray.shutdown()  # ends the processes this session started, by their ids
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = listens_everywhere
        AuthenticationTokenLoader.instance().reset_cache()
        shutil.rmtree(folder, ignore_errors=True)
        alive.close()


@dataclass(frozen=True)
class Socket:
    """An open port: who listens, on which IP address."""

    process: str
    pid: int
    address: str
    port: int


def listening_sockets() -> set[Socket]:
    """The sockets that this process and its descendants listen on, TCP and UDP."""
    import ray  # noqa: F401 (it brings psutil along and makes it importable)

    psutil: Any = importlib.import_module("psutil")
    this = psutil.Process()
    sockets = set()
    for process in (this, *this.children(recursive=True)):
        # A process may have ended meanwhile, or the system may not let us look.
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            for open_one in process.net_connections(kind="inet"):
                if open_one.status in (psutil.CONN_LISTEN, psutil.CONN_NONE) and open_one.laddr and not open_one.raddr:
                    sockets.add(Socket(process.name(), process.pid, open_one.laddr.ip, open_one.laddr.port))
    return sockets


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's loopback, also one written as an IPv4-mapped IPv6 address."""
    ip = ipaddress.ip_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def _verify_loopback(before: set[Socket]) -> None:
    """Make sure that no socket opened since `before` can be reached from elsewhere."""
    reachable = [opened for opened in listening_sockets() - before if not is_loopback(opened.address)]
    if reachable:
        found = ", ".join(f"{opened.process} on {opened.address}:{opened.port}" for opened in reachable)
        raise RuntimeError(f"Ray listens beyond loopback ({found}); use the Ray release that constraints.txt names")


def _python_path() -> str:
    """PYTHONPATH under which actors find the trunkline that this process runs."""
    package = sys.modules[__name__.partition(".")[0]]
    folders = [str(Path(next(iter(package.__path__))).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.pathsep.join(dict.fromkeys(folder for folder in folders if folder))


def _private_folder() -> tuple[Path, IO[str]]:
    """A folder of this session, and a locked file in it: the system lets go of it when the process ends, however."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if len(parent) + len(f"/{_PREFIX}") + 8 <= _MAX_FOLDER and os.access(parent, os.W_OK):
            _remove_abandoned(Path(parent))
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))  # mkdtemp's mode is 0700
            alive = (folder / "new").open("w")
            fcntl.flock(alive, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _ALIVE)  # only now: without a lock it would look abandoned
            return folder, alive
    raise InputError(
        f"temporary folder {tempfile.gettempdir()} has too long a path for sockets; set TMPDIR to a shorter one"
    )


def _remove_abandoned(parent: Path) -> None:
    """Remove this user's folders of sessions whose process was killed, each with its token."""
    for alive in parent.glob(f"{_PREFIX}*/{_ALIVE}"):
        with suppress(OSError), alive.open() as file:  # another user's, in use, or gone by now
            if os.fstat(file.fileno()).st_uid == os.getuid():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(alive.parent)


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set (None: unset) environment variables for the body, and restore them afterwards."""
    before: dict[str, Any] = {name: os.environ.get(name) for name in changes}

    def apply(values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    apply(changes)
    try:
        yield
    finally:
        apply(before)
