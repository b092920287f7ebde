"""Log lines in JSON, on stderr."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

_SECRET = re.compile(r"(?:beam_sk_|beam_tk_|rppg_live_|whsec_)\w+")

# Tracebacks come without local variables, which may hold keys.
_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure_logging(level: int) -> None:
    """Log JSON lines to stderr, once a process."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda: structlog.WriteLogger(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=False,
    )


class _Stderr:
    """Takes log lines. One that can't be written, because the log's disk is full, is lost, and not its request too."""

    def write(self, line: str) -> None:
        with suppress(OSError):
            sys.stderr.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


class RedactingFilter(logging.Filter):
    """Takes out of the web server's own lines what requests and addresses they are about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass records on, some with fewer words; drop the one that holds a request's path alone."""
        for beginning in ("Invalid request", "Error handling request"):
            if str(record.msg).startswith(beginning):
                record.msg, record.args = beginning, ()
        return not (record.name == "gunicorn.error" and record.msg == "%s %s")


def stdlib_logging(level: str) -> dict[str, Any]:
    """A `logging` configuration that formats the web server's own lines like Beam's."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processor": structlog.processors.JSONRenderer(),
        "foreign_pre_chain": _PROCESSORS,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "filters": {"discreet": {"()": RedactingFilter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["discreet"]}},
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": level, "handlers": ["stderr"], "propagate": False},
            # They hold the URLs of webhooks, which often hold the receiver's own secret.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
