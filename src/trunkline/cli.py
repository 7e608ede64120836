"""The command line: `trunkline <command> [key=value …]`.

Exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted, 143 told to end.
"""

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trunkline.configuration import groups
from trunkline.errors import InputError, unknown

# command: (what it does, its usage)
COMMANDS = {
    "run": (
        "the whole experiment, resumable by stage: collect, pretrain, imitate, finetune, evaluate, report",
        "[experiment=NAME] [folder=DIR] [key=value …]",
    ),
    "collect": ("episodes of several tasks into one data set", "tasks=[a/b,…] out=DIR [episodes=N] [key=value …]"),
    "generate": (
        "labelled touch, a data set a sensor",
        "touch out=DIR [sensors=[a,b,…]] [trials=N] [split=train|val|test] [key=value …]",
    ),
    "pretrain": ("an agent on recorded episodes", "data=DIR out=DIR [objective=NAME] [key=value …]"),
    "finetune": ("an agent with RL", "tasks=[a/b,…] out=DIR [init=CHECKPOINT] [key=value …]"),
    "evaluate": (
        "a policy on a manifest",
        "manifest=FILE out=DIR [policy.kind=checkpoint policy.path=CHECKPOINT] [key=value …]",
    ),
    "report": ("one HTML file from a run folder", "FOLDER"),
    "tasks": ("make, inspect and verify manifests", "sample|synthesize|show|verify …"),
    "import": ("what others published: data sets, weights", "lerobot PATH | t3 DIR [out=CHECKPOINT] [key=value …]"),
    "export": ("what others read: weights", "t3 CHECKPOINT out=DIR [skip=[PART,…]]"),
    "envs": ("worlds, and other software that they need", "list|check [TASK|NAME]|install NAME"),
}


_WITHOUT_CONFIGURATION = ("generate", "report", "tasks", "import", "export", "envs")
# A file or folder that the user named and that cannot be read or written.
_UNUSABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.EBUSY, errno.ENXIO, errno.EINVAL),
)


class Ended(KeyboardInterrupt):
    """SIGTERM came: everything is closed as after Ctrl-C."""


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Raise `Ended` where SIGTERM comes during the body."""

    def end(*_: object) -> None:
        raise Ended

    if threading.current_thread() is not threading.main_thread():  # signals are not its to handle
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def usage() -> str:
    """The text of `trunkline --help`."""
    lines = ["usage: trunkline <command> [key=value …]", "", "commands:"]
    lines += [f"  {name:<9} {what}\n            trunkline {name} {how}" for name, (what, how) in COMMANDS.items()]
    lines += [
        "",
        f"experiments: {', '.join(groups()['experiment'])}",
        "`trunkline <command> --help` prints the command's configuration with its defaults; so do "
        "`generate touch`, `tasks sample`, `tasks synthesize`, `import t3` and `export t3` with --help.",
        "exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted, 143 told to end (then the same command "
        "again resumes)",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from trunkline import __version__

        print(__version__)
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise unknown("command", arguments[0], COMMANDS)
        if arguments[0] in _WITHOUT_CONFIGURATION and arguments[1:2] in (["-h"], ["--help"]):
            what, how = COMMANDS[arguments[0]]
            print(f"usage: trunkline {arguments[0]} {how}\n\n{what}")
            return 0
        name = "import_" if arguments[0] == "import" else arguments[0]
        with _told_to_end():
            importlib.import_module(f"trunkline.commands.{name}").main(arguments[1:])
    except InputError as error:
        print(f"trunkline: {error}", file=sys.stderr)
        return 2
    except Ended:
        print("trunkline: told to end; the same command again resumes", file=sys.stderr)
        return 143
    except KeyboardInterrupt:
        print("trunkline: interrupted; the same command again resumes", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in _UNUSABLE and error.filename:
            print(f"trunkline: cannot use {error.filename}: {error.strerror}; choose another place", file=sys.stderr)
            return 2
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = error.filename or "the output folder"
        print(
            f"trunkline: no space left on the disk of {where}; free some, the same command again resumes",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
