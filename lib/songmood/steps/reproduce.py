"""reproduce: the paper's table 1 and figure 1 on this corpus, with folds, seeds and grids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

from songmood.encoder.files import encoder_id
from songmood.engine.step import Notes, step
from songmood.engine.store import Store
from songmood.settings import Settings


class Reproduced(NamedTuple):
    """The pages with table 1 and figure 1, and their figures."""

    files: Mapping[str, str]
    notes: Notes


@step("reproduce", "the paper's table 1 on this corpus")
def reproduce_paper(
    labelled: DataFrame,
    deduped: DataFrame,
    lyrics: DataFrame,
    embeddings: DataFrame,
    topics: DataFrame,
    audio_features: DataFrame,
    encoder: Path,
    settings: Settings,
    store: Store,
    manifest: dict[str, Any],
    say: Callable[[str], None],
) -> Reproduced:
    """Train and measure every model of `reproduce.models` on every fold and seed, unless done before."""
    from songmood.models.reproduction import Units, folder_of, reproduce
    from songmood.models.songs import fetch_training_songs, training_songs
    from songmood.models.table1 import learning_rows, optimizer_curves, table_rows, write_table
    from songmood.report.table1 import render_table1

    tables = (labelled, deduped, lyrics, embeddings, topics, audio_features)
    songs = fetch_training_songs(training_songs(*tables, settings.train, settings.seed).rows)
    units = Units(store, folder_of(songs, settings, encoder_id(encoder)))
    reproduce(songs, encoder, settings, units, say)
    rows = table_rows(units, dict(zip(songs["song_id"], songs["artist"], strict=True)), settings)
    learning, curves = learning_rows(units, settings), list(optimizer_curves(units, settings))
    text = write_table(rows, learning, curves)
    for line in ["", *text.splitlines()]:
        say(line)
    page = render_table1(rows, learning, curves, manifest)
    return Reproduced(
        {"table1.html": page, "table1.md": text}, Notes(figures={"table1": rows, "units": units.folder})
    )
