"""Messy demo rows: the stated changes at the stated rates, and no others."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from conftest import ROOT
from songmood.demo import noise
from songmood.demo.draws import Draws
from songmood.demo.rows import KINDS, Rows, lay_out_rows, repeats
from songmood.demo.songs import make_songs
from songmood.names.normalize import normalize_artist, normalize_title
from songmood.settings import DemoSettings, load_settings

SONGS = 6000
DRAWS = Draws(7)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return lay_out_rows(DRAWS, np.arange(SONGS), SONGS)


@pytest.fixture(scope="module")
def clean(rows: Rows) -> pd.DataFrame:
    return make_songs(DRAWS, rows)


@pytest.fixture(scope="module")
def messy(rows: Rows, clean: pd.DataFrame) -> pd.DataFrame:
    return noise.make_messy(DRAWS, clean, rows.row, repeats(rows))


def test_a_repeat_is_any_later_row_of_a_recording(rows: Rows) -> None:
    again = pd.Series(rows.take).duplicated().to_numpy()
    versions = np.array([kind.version for kind in KINDS], dtype=object)[rows.kind]
    assert (repeats(rows) == again).all()
    assert not repeats(rows)[versions != ""].any()  # each version has one row


def test_no_row_has_ids_and_first_rows_are_otherwise_unchanged(
    rows: Rows, clean: pd.DataFrame, messy: pd.DataFrame
) -> None:
    assert (messy[list(noise.IDS)] == "").all(axis=None)
    columns = [name for name in clean.columns if name not in noise.IDS]
    first = ~repeats(rows)
    pd.testing.assert_frame_equal(messy.loc[first, columns], clean.loc[first, columns])


def test_rates(rows: Rows, clean: pd.DataFrame, messy: pd.DataFrame) -> None:
    again = repeats(rows)
    before, after = clean[again], messy[again]
    cyrillic = after["title"].str.contains("[а-я]")
    nobody = after["artist"].str.lower().isin(["", "[unknown]", "unknown artist"])
    longer = after["title"].str.len() > before["title"].str.len() + 4
    joined = longer & after["title"].str.contains(r" - |:| / ") & ~after["title"].str.match(r"\d{3}-")
    changed = (before[[*noise._WRITTEN]] != after[[*noise._WRITTEN]]).any(axis=1)
    shares = {
        "joined": joined.mean(),
        "nobody": (nobody & ~joined).mean(),
        "transliterated": cyrillic.mean(),
        "changed": changed.mean(),
    }
    rates = {
        "joined": noise.JOINED,
        "nobody": noise.NO_ARTIST,
        "transliterated": noise.TRANSLITERATED,
        "changed": sum((noise.JOINED, noise.TYPOS, noise.NO_ARTIST, noise.REORDERED, noise.TRANSLITERATED)),
    }
    assert shares == pytest.approx(rates, abs=4 * 0.5 / np.sqrt(again.sum()))
    assert rates["changed"] == pytest.approx(0.75)


def test_typos_change_a_letter_or_two() -> None:
    for variant in range(300):
        for count in (1, 2):
            text = noise._typos("Harbour Lights", variant * 7919, count)
            assert abs(len(text) - len("Harbour Lights")) <= count
    assert noise._typos("7", 3, 2) == "7"  # there is no letter to mistype


def test_cyrillic_names_normalize_to_the_latin_ones() -> None:
    assert noise._cyrillic("Shining & Quiet Foxes") == "Шининг & Квиет Фоксес"
    assert re.fullmatch(r"[А-Яа-яЁё &]+", noise._cyrillic("Wild Jazz Hymn"))
    assert normalize_title(noise._cyrillic("Golden Garden")) == "golden garden"
    assert normalize_artist(noise._cyrillic("Dora Vold")) == "dora vold"


def test_rows_are_the_same_in_any_batch(rows: Rows, clean: pd.DataFrame, messy: pd.DataFrame) -> None:
    part = np.arange(100, 200)
    some = rows.where(np.isin(np.arange(len(rows.row)), part))
    made = noise.make_messy(DRAWS, make_songs(DRAWS, some), some.row, repeats(some))
    pd.testing.assert_frame_equal(made, messy.iloc[part].reset_index(drop=True))


def test_the_api_layout_cannot_be_messy() -> None:
    base = load_settings(ROOT / "conf" / "base.yaml").demo.model_dump()
    with pytest.raises(ValidationError, match="layout must be csv or parquet"):
        DemoSettings(**{**base, "messy": True, "layout": "api"})
