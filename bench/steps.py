"""Seconds, rows, peak memory and growth of each step, from the manifests of demo runs of three sizes.

usage: make bench            (or: python bench/steps.py --sizes 1000 5000 20000 --folder bench/out)

Growth is the exponent of seconds against songs of the corpus (least squares on logarithms): 1 is
linear, 2 quadratic; start-up cost pulls it below 1. Machines differ, so compare rows of one run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from songmood.engine.store import Store
from songmood.models.evaluate import draw
from songmood.models.reproduction import Units

ROOT = Path(__file__).resolve().parent.parent


def steps_of_a_run(songs: int, folder: Path, more: list[str]) -> dict[str, dict[str, Any]]:
    """Run everything on a fresh demo corpus; the manifest's record of each step."""
    warehouse = folder.resolve() / f"warehouse-{songs}"
    run_id = "bench"
    sets = [f"demo.songs={songs}", f"paths.warehouse={warehouse}", *more]
    command = [str(ROOT / "spark-submit.sh"), "all", "--run-id", run_id]
    command += [part for setting in sets for part in ("--set", setting)]
    subprocess.run(command, cwd=folder, check=True)
    manifest = json.loads((warehouse / "runs" / run_id / "manifest.json").read_text())
    return {record["step"]: record for record in manifest["steps"]}


def growth(sizes: list[int], seconds: list[float]) -> float:
    """The exponent b of seconds = a * size^b."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 0.01)), 1)[0])


class Reproduced(NamedTuple):
    """What a run of `reproduce` left: its units, the tables it read, and the corpus folder."""

    units: Units
    tables: dict[str, pd.DataFrame]
    corpus: Path


def run_reproduce(folder: Path, warehouse: Path, settings: Sequence[str], *more: str) -> Reproduced:
    """All steps as far as topics, then `reproduce`."""
    sets = [*settings, f"paths.warehouse={warehouse}"]
    options = [*more, *(part for setting in sets for part in ("--set", setting))]
    for command in (("all", "--until", "topics"), ("reproduce", "--run-id", "bench")):
        subprocess.run([str(ROOT / "spark-submit.sh"), *command, *options], cwd=folder, check=True)
    return read_reproduced(warehouse)


def read_reproduced(warehouse: Path) -> Reproduced:
    """What `run_reproduce` left in a warehouse."""
    manifest = json.loads((warehouse / "runs" / "bench" / "manifest.json").read_text())
    units = next(step["figures"]["units"] for step in manifest["steps"] if step["step"] == "reproduce")
    tables = {name: pd.read_parquet(warehouse / path) for name, path in manifest["tables"].items()}
    return Reproduced(
        Units(Store(str(warehouse)), units), tables, Path(manifest["settings"]["paths"]["corpus"])
    )


def mean_points(values: npt.NDArray[Any], artists: Sequence[str]) -> tuple[float, float, float]:
    """A mean over songs in points, and its 95% interval by drawing artists."""
    codes, names = pd.factorize(np.array(artists, dtype=object))
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)
    draws = draw(len(names), seed=1, samples=2000)
    low, high = 100 * np.quantile((draws @ sums) / (draws @ sizes), [0.025, 0.975])
    return 100 * float(values.mean()), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 5_000, 20_000])
    parser.add_argument("--folder", type=Path, default=ROOT / "bench" / "out")
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    runs = [steps_of_a_run(songs, arguments.folder, arguments.set) for songs in arguments.sizes]

    print(f"\n| step | {' | '.join(f'{n:,} songs: s / rows / MB' for n in arguments.sizes)} | growth |")
    print("| --- |" + " ---: |" * (len(runs) + 1))
    for step in runs[-1]:
        records = [run[step] for run in runs]
        rows = [max([*r["rows_in"].values(), *(t["rows"] for t in r["tables"].values()), 1]) for r in records]
        cells = [
            "reused" if r["reused"] else f"{r['seconds']:.1f} / {n:,} / {r['peak_memory_mb']:,}"
            for r, n in zip(records, rows, strict=True)
        ]
        fresh = len(records) > 1 and not any(r["reused"] for r in records)
        exponent = f"{growth(arguments.sizes, [r['seconds'] for r in records]):.2f}" if fresh else ""
        print(f"| {step} | {' | '.join(cells)} | {exponent} |")
    totals = [sum(r["seconds"] for r in run.values()) for run in runs]
    print(f"| all | {' | '.join(f'{t:.0f} s' for t in totals)} | {growth(arguments.sizes, totals):.2f} |")


if __name__ == "__main__":
    main()
