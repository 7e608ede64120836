"""Counting processes, for tests that leave none behind."""

import os
import subprocess


def children() -> set[int]:
    """Processes that descend from this one."""
    with subprocess.Popen(["ps", "-eo", "pid=,ppid="], stdout=subprocess.PIPE, text=True) as listing:
        parents = dict(map(int, line.split()) for line in listing.stdout)
    parents.pop(listing.pid)
    found, new = set(), {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found
