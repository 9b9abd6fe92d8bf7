"""Errors as a person reads them: one line that says what is wrong and what to do."""

import os
import re


class UserError(Exception):
    """An error that the user can correct; its message is one line that says what is wrong and what to do.

    The command line prints the message alone, without a traceback, and exits with code 2.
    """


def explain(error: BaseException) -> str:
    """An unexpected error in one line, with what to do where that is known."""
    text = str(error)
    last_lines: list[str] = _TRACEBACK.findall(text)
    user_errors = [line for line in last_lines if line.startswith(_USER_ERROR)]
    if user_errors:
        return user_errors[-1].removeprefix(_USER_ERROR)
    for pattern, advice in _KNOWN_FAULTS:
        if re.search(pattern, text):
            place = re.search(r"(?:file:|hdfs:|s3a?:)/[^\s,;'\")]+", text)
            return advice + (f" ({place.group(0)})" if place else "")
    if last_lines:  # what Python raised in a worker, without Java's words around it
        return f"{type(error).__name__}: {last_lines[-1]}"
    causes = re.findall(r"^(?:Caused by)?: (.+)", text, flags=re.MULTILINE)  # Py4J's second line is ': ...'
    return f"{type(error).__name__}: {causes[-1] if causes else first_line(error)}"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if the message is empty."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)


def reason_of(error: BaseException) -> str:
    """Why a file operation failed, without its path: such as 'No space left on device'."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else first_line(error)


_USER_ERROR = f"{UserError.__module__}.{UserError.__name__}: "
# The lines of a traceback are indented, but for the last one, which names the error.
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+(\S.*)")
_KNOWN_FAULTS = (
    (
        r"No space left on device",
        "the disk is full: free some space, or move paths.warehouse or spark.local.dir to another disk",
    ),
    (
        r"Python worker exited unexpectedly",
        "a Python worker was killed, usually because memory ran out: "
        "use fewer cores (--master 'local[1]') or a machine with more memory",
    ),
    (
        r"Answer from Java side is empty|Py4JNetworkError|Error while sending or receiving",
        "Java has ended, usually because memory ran out: use fewer cores (--master 'local[1]') "
        "or a machine with more memory",
    ),
    (r"OutOfMemoryError", "out of memory: give the driver more, e.g. -- --driver-memory 8g"),
    (
        r"[Uu]nexpected end of (ZLIB )?(input|file)|EOFException|not in gzip format|Truncated compressed",
        "a compressed file ends too early or is not what its name says: fetch it again",
    ),
    (r"is not a Parquet file|Could not read footer", "a .parquet file is damaged or cut off: fetch it again"),
)
