"""The steps that look after the warehouse: publish and prune."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from songmood.engine.garbage import prune_warehouse
from songmood.engine.settings import Section
from songmood.engine.step import step
from songmood.engine.store import Store


class StoreSettings(Section):
    """Settings of the warehouse."""

    keep_runs: Annotated[int, Field(ge=1)]


@step("publish", "point current.json at this run's tables")
def publish(store: Store, manifest: dict[str, Any]) -> None:
    """Replace the pointer to the published tables, all at once.

    Raises UserError if a table is missing or damaged.
    """
    store.publish(manifest["run_id"], manifest["tables"])


@step("prune", "delete what no kept run names")
def prune(store: Store, settings: StoreSettings, say: Callable[[str], None]) -> None:
    """Delete old runs, and the tables and models that no kept run names; see prune_warehouse."""
    deleted = prune_warehouse(store, settings.keep_runs)
    say(f"{len(deleted)} deleted")
    for path in deleted:
        say(path)
