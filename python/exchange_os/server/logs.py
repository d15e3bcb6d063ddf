"""Structured logs of a node: one JSON object a line, in files of a bounded size and number."""

from __future__ import annotations

import json
import logging
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

FILE_BYTES = 4 << 20
FILES_KEPT = 4


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return json.dumps(said | getattr(record, "fields", {}), default=str)


def open_log(path: Path) -> logging.Logger:
    """A log that fills at most `FILE_BYTES` times `FILES_KEPT` + 1, whatever happens."""
    logger = logging.Logger("exchange_os.node", logging.INFO)
    handler = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    return logger
