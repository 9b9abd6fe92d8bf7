"""What a person sees of a run: a line when a step starts, its counts when it ends, and where to look."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

_INDENT = " " * 18
log = logging.getLogger(__name__)


def set_up_logging(name: str, level: int) -> None:
    """Show information on standard output, and errors as '<name>: ...' on standard error.

    Shown is what the engine's package and the package `name` log; other packages' logs are left alone.
    """
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(logging.Formatter("%(message)s"))
    shown.addFilter(lambda record: record.levelno < logging.ERROR)
    errors = logging.StreamHandler(sys.stderr)
    errors.setFormatter(logging.Formatter(f"{name}: %(message)s"))
    errors.setLevel(logging.ERROR)
    for package in {__name__.partition(".")[0], name}:
        logger = logging.getLogger(package)
        logger.setLevel(level)
        logger.propagate = False
        logger.handlers[:] = [shown, errors]


def show_start(number: int, total: int, name: str, about: str) -> None:
    """A step begins."""
    log.info("%3d/%d %-10s %s", number, total, name, about)


def say(line: str) -> None:
    """A line that belongs to the step that runs."""
    log.info("%s%s", _INDENT, line)


def warn(line: str) -> None:
    """A warning that belongs to the step that runs."""
    log.warning("%snote: %s", _INDENT, line)


def progress_bar(title: str, total: int, unit: str) -> tqdm[Any]:
    """How far the step that runs has got, with the rate and the time left; `unit` begins with a blank."""
    # one line in a minute if nobody watches
    interval_s = 0.5 if sys.stderr.isatty() else 60.0
    return tqdm(total=total, desc=f"{_INDENT}{title}", unit=unit, mininterval=interval_s, leave=False)


def show_end(record: Mapping[str, Any]) -> None:
    """A step is done: rows in and out, reasons, warnings."""
    rows_in = ", ".join(f"{rows:,} {name}" for name, rows in record["rows_in"].items())
    rows_out = ", ".join(f"{table['rows']:,} {name}" for name, table in record["tables"].items())
    if rows_out:
        seconds = "reused" if record["reused"] else f"{record['seconds']:.1f} s"
        say(f"{rows_in + ' -> ' if rows_in else ''}{rows_out}  [{seconds}]")
    for name in ("dropped", "rejects"):
        reasons = record["tables"].get(name, {}).get("reasons", {})
        if reasons:
            say(f"{name}: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()))
    for warning in record["warnings"]:
        warn(warning)


def show_block(run_id: str, root: str, manifest: Mapping[str, Any], featured: str, seconds: float) -> None:
    """The run is complete: where its pages and tables are, and how to query one of them."""
    tables = manifest["tables"]
    log.info("\nrun %s complete in %.0f s", run_id, seconds)
    for file in manifest["files"]:
        log.info("  %-8s %s/runs/%s/%s", file.partition(".")[0], root, run_id, file)
    log.info("  %-8s %s/tables (named in %s/runs/%s/manifest.json)", "tables", root, root, run_id)
    name = featured if featured in tables else next(reversed(tables), None)
    if name:
        query = f"SELECT * FROM '{root}/{tables[name]}/*.parquet' LIMIT 10"
        log.info('  %-8s duckdb -c "%s"', "query", query)
