"""Matching on real titles, compared with the scorers of rapidfuzz alone at their best thresholds.

Each real song is paired with a name of the same song, as sources write it, and with a name of another
song: a song of the artist whose title contains this one, a song of that title by another artist, karaoke,
a cover, a remix, another part, or a page about the song.
"""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from anyascii import anyascii
from rapidfuzz import fuzz

from songmood.names.matching import best_match
from songmood.names.normalize import normalize_title
from songmood.settings import Settings


class Pair(NamedTuple):
    title: str
    artist: str
    other_title: str
    other_artist: str
    same: bool
    kind: str


def real_songs(shared_data: Path) -> list[tuple[str, str]]:
    with open(
        shared_data / "wasabi-csv" / "songs" / "wasabi_songs.csv", encoding="utf-8", newline=""
    ) as file:
        rows = csv.DictReader(file, delimiter="\t")
        names = {(row["title"], row["artist"]) for row in rows if row["title"] and row["artist"]}
    # without 'Artist:Title', which names another artist, and without versions
    plain = re.compile(
        r"[:\[\]()/\d]|\b(?:live|remix|demo|acoustic|cover|instrumental|version|mix|edit|medley)\b", re.I
    )
    return sorted((title, artist) for title, artist in names if not plain.search(title))


def typo(text: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def labelled_pairs(songs: list[tuple[str, str]], chance: random.Random) -> list[Pair]:
    by_artist, by_title = defaultdict(list), defaultdict(set)
    for title, artist in songs:
        by_artist[artist].append(title)
        by_title[normalize_title(title)].add(artist)
    pairs = []

    def add(title: str, artist: str, other_title: str, other_artist: str, same: bool, kind: str) -> None:
        pairs.append(Pair(title, artist, other_title, other_artist, same, kind))

    for n, (title, artist) in enumerate(chance.sample(songs, 240)):
        same = [
            (f"{title} (feat. Somebody Else)", artist),
            (f"{title} - {chance.randrange(1990, 2020)} Remaster", artist),
            (f"{title} (Live at Somewhere)", artist),
            (f"{title} (Another Name for It)", artist),
            (title.upper().replace("'", "’"), artist.removeprefix("The ")),
            (re.sub(r"[^\w\s]", "", title), f"{artist} & Somebody Else"),
            (typo(title, chance) if len(title) > 12 else title.lower(), artist),
            (f"{title} [Explicit]", f"{artist} feat. Somebody Else"),
        ][n % 8]
        add(title, artist, *same, True, f"variant {n % 8}")
        different = [
            (f"{title} (Karaoke Version)", artist),
            (f"{title} (Somebody Remix)", artist),
            (f"{title}, Pt. 2", artist),
            (title, "Karaoke Superstars"),
            (f"{title} (Traducción)", artist),
            (f"{title} [Tracklist]", artist),
            (f"{title} With Me Tonight", artist),
            (f"{title} (Cover)", artist),
        ][n % 8]
        add(title, artist, *different, False, f"other {n % 8}")
    for title, artist in songs:
        if not title.isascii() and anyascii(title) != title and len(pairs) < 520:
            add(title, artist, anyascii(title), anyascii(artist), True, "alphabet")
    longer = [
        (title, artist, long_title)
        for artist, titles in by_artist.items()
        for title in titles
        for long_title in titles
        if {*title.lower().split()} < {*long_title.lower().split()}
        and " - " not in long_title
        and len(long_title) - len(title) >= 5  # more than an article
    ]
    for title, artist, long_title in chance.sample(longer, 100):
        add(title, artist, long_title, artist, False, "longer title")
    shared = [(title, artists) for title, artists in sorted(by_title.items()) if len(artists) > 1 and title]
    for title, artists in chance.sample(shared, min(60, len(shared))):
        first, second = sorted(artists)[:2]
        if not ({*first.lower().split()} & {*second.lower().split()}):
            add(title, first, title, second, False, "other artist")
    return pairs


def scores(pairs: list[Pair], accepted: np.ndarray) -> tuple[float, float]:
    same = np.array([pair.same for pair in pairs])
    return float((accepted & same).sum() / max(1, accepted.sum())), float(
        (accepted & same).sum() / same.sum()
    )


def test_precision_and_recall_on_real_titles(
    settings: Settings, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = labelled_pairs(real_songs(shared_data), random.Random(12))
    assert len(pairs) >= 600
    found = [best_match(p.title, p.artist, [(p.other_title, p.other_artist)], settings.enrich) for p in pairs]
    ours = np.array([match is not None and match.accepted for match in found])
    precision, recall = scores(pairs, ours)
    with capsys.disabled():
        print(f"\n{len(pairs)} pairs: precision {precision:.4f}, recall {recall:.4f}")
        for p, yes in zip(pairs, ours, strict=True):
            if yes != p.same:
                print("  wrong:", p)
    best_alone = 0.0
    for scorer in (fuzz.token_set_ratio, fuzz.token_sort_ratio, fuzz.WRatio):
        alike = np.array(
            [
                scorer(f"{p.title} {p.artist}".lower(), f"{p.other_title} {p.other_artist}".lower())
                for p in pairs
            ]
        )
        tried = [scores(pairs, alike >= threshold) for threshold in range(50, 101)]
        f1, alone = max((2 * p * r / (p + r) if p + r else 0.0, (p, r)) for p, r in tried)
        best_alone = max(best_alone, f1)
        with capsys.disabled():
            print(f"  {scorer.__name__} alone: precision {alone[0]:.4f}, recall {alone[1]:.4f}")
    assert precision >= 0.99
    assert recall >= 0.95
    assert 2 * precision * recall / (precision + recall) > best_alone
