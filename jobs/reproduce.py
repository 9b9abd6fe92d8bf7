"""reproduce: the paper's table 1 and figure 1 on this corpus, with folds, seeds and grids."""

import train
from songmood.encoder_files import encoder_id, resolve_encoder
from songmood.fingerprint import code_fingerprint
from songmood.run import Run, Step


def job(run: Run) -> None:
    from songmood.report.table1 import render_table1
    from songmood.reproduce import (
        Units,
        folder_of,
        learning_rows,
        optimizer_curves,
        reproduce,
        table_rows,
        write_table,
    )
    from songmood.train import training_frame

    config = run.config
    songs = training_frame(train.songs(run))
    encoder = resolve_encoder(config.encoder.model)
    folder = folder_of(songs, config, code_fingerprint(train.STEP), encoder_id(encoder))
    units = Units(run.store, folder)
    reproduce(songs, encoder, config, units, _say)
    rows = table_rows(units, dict(zip(songs["song_id"], songs["artist"], strict=True)), config)
    learning, curves = learning_rows(units, config), list(optimizer_curves(units, config))
    text = write_table(rows, learning, curves)
    page = f"runs/{run.run_id}/table1.html"
    run.store.write_text(page, render_table1(rows, learning, curves, run.manifest))
    run.store.write_text(f"runs/{run.run_id}/table1.md", text)
    run.note(table1=rows, units=units.folder)
    print(f"\n{text}\n  page     {run.store.local_root or run.store.uri}/{page}")


def _say(line: str) -> None:
    print(f"{'':<18}{line}", flush=True)


STEP: Step = Step(
    name="reproduce",
    about="the paper's table 1 on this corpus",
    job=job,
    reads=train.STEP.reads,
    sections=("encoder", "train", "reproduce"),
    before="train",
)

if __name__ == "__main__":
    from all import main

    main("reproduce")
