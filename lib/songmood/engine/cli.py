"""The command line of a pipeline: which steps, with which settings, and how it ends."""

from __future__ import annotations

import argparse
import logging
import re
import sys
import traceback
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from songmood.engine.alive import FILE, is_alive, keep_alive
from songmood.engine.errors import UserError, explain, reason_of
from songmood.engine.garbage import clean_up
from songmood.engine.pipeline import Pipeline
from songmood.engine.run import Run
from songmood.engine.signals import INTERRUPTED, is_supervised, listen
from songmood.engine.spark import open_session
from songmood.engine.store import Store
from songmood.engine.terminal import set_up_logging

log = logging.getLogger(__name__)


def main(pipeline: Pipeline, only: str | None = None) -> None:
    """Run the steps that the command line asks for, or the step `only`, and exit.

    The exit code is 0; 2 for an error that the user can mend; 1 for a fault; 130 for an interrupt.
    """
    base = Path(sys.argv[0]).resolve().parent.parent / "conf" / "base.yaml"  # beside the folder of the script
    listen()
    sys.exit(run_command(pipeline, only, sys.argv[1:], base))


def run_command(pipeline: Pipeline, only: str | None, arguments: list[str], base: Path) -> int:
    """As `main`, with these arguments and this file of default settings; returns the exit code."""
    options = _parse(only, arguments)
    level = logging.DEBUG if options.verbose else logging.WARNING if options.quiet else logging.INFO
    set_up_logging(pipeline.name, level)
    run: Run | None = None
    try:
        settings: Any = pipeline.load(base, options.conf, options.set)
        chosen = [pipeline.find(only)] if only else pipeline.choose(options.start, options.until, settings)
        settings = pipeline.prepare(settings, chosen)
        store = Store(pipeline.warehouse(settings))
        store.check_writable()
        run_id = options.run_id or _new_run_id()
        _check_run_id(store, run_id)
        session = open_session(pipeline.name)
        with keep_alive(store, run_id):
            run = Run(pipeline, settings, store, session, run_id)
            log.info("%s %s  run %s  %s", pipeline.name, pipeline.version, run_id, pipeline.title(settings))
            run.save("running")
            _clean_up(store)
            run.go(chosen)
    except UserError as error:
        return _fail(run, str(error), 2)
    except KeyboardInterrupt:
        return _fail(run, INTERRUPTED, 130)
    except Exception as error:  # the one place that turns a fault into a line and an exit code
        is_place = run is None and isinstance(error, OSError)  # such as a path that is too long
        return _fail(run, explain(error), 2 if is_place else 1, traceback.format_exc())
    return 0


def _check_run_id(store: Store, run_id: str) -> None:
    """Raise UserError if there is a run of that id, unless it is one that can be resumed."""
    if is_alive(store, run_id):
        raise UserError(f"run {run_id} is still running: wait until it has ended, or choose another --run-id")
    manifest = store.manifest(run_id)
    left = [file for file in store.files(f"runs/{run_id}") if file != FILE]
    if manifest.state == "complete" if manifest else left:
        raise UserError(f"there is already a run {run_id} in {store.uri}: choose another --run-id")


def _clean_up(store: Store) -> None:
    try:
        for killed in clean_up(store):
            log.info("run %s was killed; what it completed is reused", killed)
    except (UserError, OSError) as error:  # prune reports it as an error
        log.debug("nothing was cleaned up: %s", error)


def _parse(only: str | None, arguments: list[str]) -> argparse.Namespace:
    # spark-submit.sh prints the help that people read; this is for those who call spark-submit themselves.
    parser = argparse.ArgumentParser(prog=only or "all", allow_abbrev=False)
    parser.add_argument("--conf", action="append", type=Path, default=[], metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.NAME=VALUE")
    parser.add_argument("--run-id", metavar="ID")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--verbose", action="store_true")
    shown.add_argument("--quiet", action="store_true")
    if only is None:
        parser.add_argument("--from", dest="start", metavar="STEP")
        parser.add_argument("--until", metavar="STEP")
    options = parser.parse_args(arguments)
    if options.run_id and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", options.run_id):
        parser.error("--run-id: letters, digits, '.', '_' and '-' only")
    return options


def _fail(run: Run | None, message: str, code: int, trace: str = "") -> int:
    if trace:
        log.debug("%s", trace)
    if run is not None:
        try:
            if trace:
                run.store.write_text(f"runs/{run.run_id}/error.txt", trace)
                message += f"; details in {run.store.uri}/runs/{run.run_id}/error.txt"
            run.manifest["error"] = message
            run.save("interrupted" if code == 130 else "failed")
        except OSError as error:
            message += f" (and the manifest could not be written: {reason_of(error)})"
    if code == 130 and is_supervised():
        return code
    log.error("%s", " ".join(message.split()))
    return code


def _new_run_id() -> str:
    return datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:4]
