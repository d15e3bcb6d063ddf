"""Counts the engine's instructions a command and fails above a limit: `make instructions`.

Instructions, unlike seconds, are the same on a busy machine. Two runs of the seeded workload `steady` differ
only in their number of commands; the difference of what callgrind counted inside the engine, divided by the
difference in commands, leaves set-up out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

#: Most instructions a command of `steady`: a few per cent above the last count; lower it with every gain.
INSTRUCTIONS_MAX = 1_200
SEED, ACCOUNTS, RESTING = 7, 1_000, 1_000
COMMANDS = (20_000, 60_000)


def count(binary: str, workload: str, commands: int) -> int:
    """Instructions that the engine executed for set-up and `commands` commands."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "valgrind",
            "--tool=callgrind",
            "--toggle-collect=*apply_records*",
            f"--callgrind-out-file={folder}/callgrind",
            binary,
            workload,
            *map(str, (SEED, ACCOUNTS, RESTING, commands)),
        ]
        environment = {**os.environ, "XOS_BENCH_FAST": "1"}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"the workload failed: {done.stderr.strip()[-600:]}")
    if not json.loads(done.stdout)["passed"]:
        sys.exit("a closing check of the workload failed")
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if found is None:
        sys.exit(f"callgrind printed no count: {done.stderr.strip()[-600:]}")
    return int(found.group(1))


def main() -> int:
    """Measures and judges."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("binary", help="the example engine_bench, built in release")
    words.add_argument("--workload", default="steady", help="another workload is counted, not judged")
    words.add_argument("--json", action="store_true", help="one JSON object")
    given = words.parse_args()
    if shutil.which("valgrind") is None:
        print("instructions: skipped, valgrind is not installed (package valgrind)")
        return 0
    few, many = (count(given.binary, given.workload, commands) for commands in COMMANDS)
    per_command = (many - few) / (COMMANDS[1] - COMMANDS[0])
    passed = given.workload != "steady" or per_command <= INSTRUCTIONS_MAX
    if given.json:
        report = {"instructions_per_command": per_command, "limit": INSTRUCTIONS_MAX, "passed": passed}
        print(json.dumps(report))
    else:
        verdict = f", {'within' if passed else 'ABOVE'} the limit of {INSTRUCTIONS_MAX:,}"
        judged = verdict if given.workload == "steady" else ""
        print(f"instructions: {per_command:,.0f} a command of {given.workload}{judged}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
