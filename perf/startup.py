"""Start-up time of the command line: `trunkline --help`, the median of five fresh processes. Limit: 1 s."""

import json
import statistics
import subprocess
import sys
import time


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    command = [sys.executable, "-m", "trunkline.cli", "--help"]
    seconds(command)  # fill the file cache
    times = [seconds(command) for _ in range(5)]
    bare = statistics.median(seconds([sys.executable, "-c", "pass"]) for _ in range(5))
    print(f"trunkline --help: {statistics.median(times):.3f} s; bare interpreter: {bare:.3f} s")
    print(json.dumps({"help_s": round(statistics.median(times), 3), "python_s": round(bare, 3)}))


if __name__ == "__main__":
    main()
