"""What may be deleted from a warehouse: what is half written, and what no run names any more.

Tables, models and step records have the fingerprint of their step in their names. In use are the fingerprints
that current.json, the manifests of kept runs and the manifests of runs that are alive name. A run names a
fingerprint before it looks for what is under it, and prune deletes step records before it looks at the runs
again. So if they meet, either the run finds no record, or prune finds that the run names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone

from songmood.engine.alive import FILE, is_alive
from songmood.engine.store import CHECKPOINTS, DAMAGED, KEPT, MANIFEST, WRITING, Store

# How long what no run names is kept: someone may be reading it.
GRACE = timedelta(hours=24)


def clean_up(store: Store) -> list[str]:
    """Delete what killed runs left half written, and say in their manifests that they were interrupted.

    Returns these runs. Raises UserError if the manifest of one of them or of a run that is alive is damaged.
    """
    half_written = list(_inside(store, WRITING))  # listed first: a run that is alive names them by then
    runs = store.folders("runs")
    alive = {run for run in runs if is_alive(store, run)}
    used = _used_by(store, alive)
    for path in half_written:
        if _fingerprint(path) not in used:
            store.delete(path)
    killed = [run for run in runs if run not in alive and store.exists(f"runs/{run}/{FILE}")]
    for run in killed:
        _say_interrupted(store, run)
        store.delete(f"runs/{run}/{CHECKPOINTS}")
        store.delete(f"runs/{run}/{FILE}")
    return killed


def prune_warehouse(store: Store, keep_runs: int, now: datetime | None = None) -> list[str]:
    """Delete old runs, and the tables, models and step records that no kept run names.

    Kept are the published run and its tables, the newest `keep_runs` runs that have tables, the runs that are
    alive, and whatever is younger than a day. Returns what was deleted, as paths in the warehouse. Raises
    UserError, before anything is deleted, if current.json or a manifest is damaged.
    """
    now = now or datetime.now(timezone.utc)
    published = store.published()
    runs = _newest_first(store)
    manifests = {run: store.manifest(run) for run in runs}
    clean_up(store)
    ended = {run for run in runs if not is_alive(store, run)}
    for run in ended:
        _say_interrupted(store, run)
    with_tables = [run for run in runs if (manifest := manifests[run]) and manifest.tables]
    kept = {*with_tables[:keep_runs], *([published.run_id] if published else [])}
    used = _used_by(store, kept) | set(map(_fingerprint, published.tables.values() if published else ()))
    deleted = _delete_old(store, [f"runs/{run}" for run in ended - kept], now)
    deleted += _delete_old(store, [file for file in store.files("") if file.endswith(".writing")], now)
    deleted += _delete_old(store, _inside(store, DAMAGED), now)
    for list_paths in (_step_records, _tables_and_models):  # in this order: see above
        candidates = list(list_paths(store))
        in_use = used | _used_by(store, set(store.folders("runs")) - ended)
        deleted += _delete_old(store, [p for p in candidates if _fingerprint(p) not in in_use], now)
    return sorted(deleted)


def _delete_old(store: Store, paths: Iterable[str], now: datetime) -> list[str]:
    deleted = []
    for path in paths:
        changed = store.changed_at(path)
        if changed is not None and now - changed > GRACE:
            store.delete(path)
            deleted.append(path)
    return deleted


def _newest_first(store: Store) -> list[str]:
    """The runs, by when their folder was changed last."""
    never = datetime.min.replace(tzinfo=timezone.utc)
    changed = {run: store.changed_at(f"runs/{run}") or never for run in store.folders("runs")}
    return sorted(changed, key=lambda run: (changed[run], run), reverse=True)


def _places(store: Store) -> list[str]:
    """The folders that tables, models and what is kept between runs are in."""
    return [*(f"tables/{name}" for name in store.folders("tables")), "models", KEPT]


def _inside(store: Store, folder: str) -> Iterator[str]:
    for place in _places(store):
        yield from (f"{place}/{folder}/{name}" for name in store.folders(f"{place}/{folder}"))


def _step_records(store: Store) -> Iterator[str]:
    for step in store.folders("steps"):
        yield from (f"steps/{step}/{name}" for name in store.files(f"steps/{step}"))


def _tables_and_models(store: Store) -> Iterator[str]:
    for place in _places(store):
        yield from (f"{place}/{name}" for name in store.folders(place) if name not in (WRITING, DAMAGED))


def _fingerprint(path: str) -> str:
    """The fingerprint in the path of a table, a model or a step record, complete or not."""
    folder, _, name = path.rpartition("/")
    if folder.endswith(WRITING):
        name = name.rpartition("-")[0]
    return name.removesuffix(".json").rpartition("-")[2]


def _used_by(store: Store, runs: Iterable[str]) -> set[str]:
    used: set[str] = set()
    for run in runs:
        if manifest := store.manifest(run):
            used.update(manifest.fingerprints.values())
            paths = [*manifest.tables.values(), *manifest.models.values(), *manifest.kept]
            used.update(map(_fingerprint, paths))
    return used


def _say_interrupted(store: Store, run: str) -> None:
    """Correct the manifest of a run that has ended without a word."""
    manifest = store.manifest(run)
    path = f"runs/{run}/{MANIFEST}"
    content = store.read_file(path)
    if manifest and content and manifest.state == "running":
        killed = {"state": "interrupted", "error": "the run was killed"}
        store.write_json(path, {**json.loads(content), **killed})
