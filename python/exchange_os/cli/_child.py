"""Programs that another one starts: each says in a line of JSON when it is ready and ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_CODE = "from exchange_os.cli._child import run; run()"
_END_S = 30


class Child:
    """One of them."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        """Starts `xos` with these arguments; what it says on its standard error goes to a file."""
        self.name, self.log = name, log
        with log.open("ab") as errors:
            # In a session of its own: Ctrl-C is for the one who started it, who then ends all in order.
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def said(self) -> dict[str, Any] | None:
        """The line that it says once it is ready; None if it ended instead."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        return None

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Asks it to end and waits for it."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def last_words(self) -> str:
        """The end of what it said on its standard error."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-5:])


def run() -> None:
    """What the started program executes."""
    from exchange_os.cli import main

    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()


def _end_with_parent() -> None:
    """The parent never writes: the pipe ends when it does, however that came about."""
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
