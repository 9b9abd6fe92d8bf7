"""How people write songs: the styles and damages of real records, counted for demo/noise.py.

usage: ./spark-submit.sh --exec python bench/noise.py SONGS.csv TRUTH.csv

SONGS.csv has the columns of the MusicBrainz-20K benchmark (Hildebrandt, Saeedi and Rahm): five sources, each
with a style of its own, and fields with damages. TRUTH.csv has song_id and group_id. Of each group, a name
that two records agree in is taken to be right, and the others are compared with it.
"""

from __future__ import annotations

import re
import sys
from collections import Counter

import pandas as pd
from rapidfuzz.distance import OSA

from songmood.demo.noise import ascii_text

LENGTHS = {
    "numbered": r"\d+m \d+sec",
    "bracketed": r"\d+:\d\d",
    "dashed": r"\d+\.\d+",
    "joined": r"\d{1,3}",
    "plain": r"\d{4,}",
}
LOST = re.compile(r"\s*(|null|n\.?a\.?|unk\.?|\[?unknown\]?)\s*", re.I)
ARTICLE = re.compile(r"(the|die|der|das|les|la|los) ", re.I)


def style_of(record: pd.Series[str]) -> str:
    """The style of a record's source, which the format of its length tells."""
    return next((name for name, form in LENGTHS.items() if re.fullmatch(form, record["length"])), "unknown")


def written(style: str, artist: str, title: str, album: str) -> tuple[str, str, str]:
    """Artist, title and album as a source of this style writes them."""
    if style == "joined":
        return "", f"{artist} - {title}", album
    if style in ("dashed", "bracketed"):
        artist = ARTICLE.sub("", artist, count=1) if ARTICLE.match(artist) else artist
        return (
            (artist, f"{title} - {album}", "") if style == "dashed" else (artist, f"{title} ({album})", album)
        )
    return artist, title, album


def agreed(values: list[str]) -> str:
    """The value that at least two records have, or an empty string."""
    ((value, count),) = Counter(value for value in values if value).most_common(1) or [("", 0)]
    return value if count > 1 else ""


def damage(right: str, found: str) -> str:
    """What happened to a name."""
    if right == found:
        return "right"
    if LOST.fullmatch(found):
        return "lost"
    if sorted(right.split()) == sorted(found.split()):
        return "words in another order"
    if right.lower() == found.lower():
        return "capital or small letters only"
    if re.sub(r"\W|_", "", right) == re.sub(r"\W|_", "", found):
        return "without spaces" if re.fullmatch(r"\S+", found) else "other signs"
    steps = OSA.distance(right, found)
    if steps == 1:
        longer = len(found) - len(right)
        return {-1: "a letter omitted", 0: "a letter changed or swapped", 1: "a letter added"}[longer]
    if steps <= 3:
        return f"{steps} letters"
    words, rest = Counter(right.split()), Counter(found.split())
    if rest < words:
        return "a word omitted"
    if words < rest:
        return "a word doubled or added"
    return "something else"


def count(songs: pd.DataFrame) -> None:
    """Print the shares of the styles, and of the damages of each name."""
    print("styles", shares(Counter(songs["style"])))
    known = songs[songs["style"] != "unknown"]
    kinds: dict[str, Counter[str]] = {name: Counter() for name in ("artist", "title", "album")}
    several: Counter[int] = Counter()
    for _, group in known.groupby("group_id"):
        records = group.to_dict("records")
        artist, album = (agreed([record[name] for record in records]) for name in ("artist", "album"))
        if artist and f"The {artist}" in group["artist"].tolist():
            artist = f"The {artist}"  # two of the sources leave it out
        title = agreed([title_of(record, artist, album) for record in records])
        if not (artist and title and album):
            continue
        for record in records:
            right = dict(zip(kinds, written(record["style"], artist, title, album), strict=True))
            damages = {name: damage(text, record[name]) for name, text in right.items() if text}
            several[sum(kind != "right" for kind in damages.values())] += 1
            for name, kind in damages.items():
                kinds[name][kind] += 1
    repeats = known.duplicated(["group_id", "style"]).sum()
    print(f"records of a group in the style of another one: {repeats} of {len(known)}")
    print("records by the number of their damaged names", shares(several))
    for name, counts in kinds.items():
        print(name, shares(counts))


def title_of(record: dict[str, str], artist: str, album: str) -> str:
    """The title without what the style adds to it."""
    ends = {"dashed": f" - {album}", "bracketed": f" ({album})"}.get(record["style"], "")
    start = f"{artist} - " if record["style"] == "joined" else ""
    return record["title"].removeprefix(start).removesuffix(ends)


def shares(counts: Counter[str] | Counter[int]) -> dict[str | int, float]:
    """Shares of the total, the largest first."""
    return {name: round(n / counts.total(), 4) for name, n in counts.most_common()}


if __name__ == "__main__":
    table = pd.read_csv(sys.argv[1], sep="\t", dtype=str, keep_default_na=False)
    table = table.merge(pd.read_csv(sys.argv[2], dtype=str), left_on="_id", right_on="song_id")
    table = table.rename(columns={"albumTitle": "album"})
    table["style"] = [style_of(record) for _, record in table.iterrows()]
    for column in ("artist", "title", "album"):
        table[column] = table[column].map(ascii_text)
    numbered = table["style"] == "numbered"
    table.loc[numbered, "title"] = table["title"].str.replace(r"^\d{3}-", "", regex=True)
    table.loc[numbered, "album"] = table["album"].str.replace(r" \([^()]*\)?$", "", regex=True)
    count(table)
