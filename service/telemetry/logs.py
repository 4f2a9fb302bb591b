"""Logging: one line per event, as text or JSON, with the id of the request.

Questions and keys are never logged. For exceptions, the class and the stack are logged; messages of foreign exceptions
are dropped, because they may quote a question.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Literal

from index.errors import PinciteError
from service.import_guards import hidden

with hidden("rich"):  # for tracebacks, which are not shown here
    import structlog
    from structlog.contextvars import bound_contextvars
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["LogFormat", "bound_contextvars", "configure_logs"]

LogFormat = Literal["console", "json"]


def configure_logs(form: LogFormat) -> None:
    """Log to standard error: our events from INFO, those of libraries from WARNING."""
    stream = sys.stderr
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        without_foreign_messages,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer(form, stream.isatty())],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("pincite").setLevel(logging.INFO)


def renderer(form: LogFormat, colors: bool) -> Processor:  # noqa: FBT001
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="time",
        pad_event_to=0,
        exception_formatter=structlog.dev.plain_traceback,  # the others print the values of variables
    )


def without_foreign_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if info := event.pop("exc_info", None):
        kind, error, stack = sys.exc_info() if info is True else info
        message = str(error) if isinstance(error, PinciteError) else ""
        event["exception"] = "".join(traceback.format_tb(stack)) + f"{kind and kind.__name__} {message}".rstrip()
    return event
