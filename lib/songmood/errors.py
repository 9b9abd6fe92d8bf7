"""Errors as a person reads them: one line that says what is wrong and what to do."""

import re


class SongmoodError(Exception):
    """Something the user can mend; the message is one line that says what is wrong and what to do.

    The command line prints the message alone, without a traceback, and exits with code 2.
    """


def explain(error: BaseException) -> str:
    """An unexpected error in one line, with what to do where that is known."""
    text = str(error)
    for pattern, advice in _KNOWN_FAULTS:
        if re.search(pattern, text):
            place = re.search(r"(?:file:|hdfs:|s3a?:)/[^\s,;'\")]+", text)
            return advice + (f" ({place.group(0)})" if place else "")
    causes = re.findall(r"Caused by: (.+)", text)
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    return f"{type(error).__name__}: {causes[-1] if causes else first}"


_KNOWN_FAULTS = (
    (
        r"No space left on device",
        "the disk is full: free some, or move paths.warehouse or spark.local.dir to another",
    ),
    (r"OutOfMemoryError", "out of memory: give the driver more, e.g. -- --driver-memory 8g"),
    (
        r"[Uu]nexpected end of (ZLIB )?(input|file)|EOFException|not in gzip format|Truncated compressed",
        "a compressed file ends too early or is not what its name says: fetch it again",
    ),
    (r"is not a Parquet file|Could not read footer", "a .parquet file is damaged or cut off: fetch it again"),
)
