"""Which name in a source means which song: the one matcher of titles and artists.

`token_set_ratio` would not do: it gives 'Stay' and 'Stay With Me' 100. Title and artist are each
compared by `token_sort_ratio` after normalizing, and names that differ in a number or in a word that
names another version are refused however alike the rest is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType
from rapidfuzz import fuzz, process

from songmood.names.normalize import normalize_artist, normalize_title
from songmood.settings import EnrichSettings

KEYS = ("name_title", "name_artist", "name_core")

# Another version is another text or another recording. Written as songmood.names.normalize leaves them.
VERSION_WORDS = {
    *("karaoke", "cover", "covers", "tribute", "remix", "rmx", "mashup", "medley", "parody", "reprise"),
    *("instrumental", "acoustic", "demo", "live", "intro", "outro", "interlude"),
    *("translation", "traduccion", "traducao", "traduction", "traduzione", "ubersetzung", "romanized"),
}
# Sung in another language, a song has other words, too.
LANGUAGES = {
    *("english", "spanish", "espanol", "spanglish", "french", "francais", "german", "deutsch", "italian"),
    *("italiano", "portuguese", "portugues", "japanese", "korean", "mandarin", "russian", "swedish", "dutch"),
}
# Another recording of the same words.
RECORDING_WORDS = {
    *("mix", "mixes", "megamix", "remixed", "edit", "dub", "version", "versions", "rework", "bootleg"),
    *("unplugged", "session", "sessions", "rehearsal", "outtake", "orchestral", "symphonic", "fix"),
}
# A page of that name is about a song or an artist, and is none.
PAGE_WORDS = {
    *("tracklist", "tracklisting", "calendar", "discography", "booklet", "artwork", "credits", "interview"),
    *("script", "transcript", "annotated", "annotations", "essay", "review", "setlist", "snippet", "preview"),
}
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMERALS = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_NUMBERS = {word: str(n) for words in (_NUMBER_WORDS, _NUMERALS) for n, word in enumerate(words, 2)}
_DIGITS = re.compile(r"\d+")

_BRACKETED = re.compile(r"\s*[(\[][^()\[\]]*[)\]]?")
_CREDIT = re.compile(r" (?:duet with|and|with|x|vs|feat|featuring|ft|y|et|und) |\s*[,;/]\s*")
SUBTITLE, SHARED_CREDIT = (
    92.0,
    90.0,
)  # how alike these count: 'Stay (I Missed You)' and 'Stay'; 'Ann' and 'Ann & Bo'

_LIVE = re.compile(r"\s*[(\[]live\b(?! and)[^()\[\]]*[)\]]|\s-\s+live\b.*$", re.IGNORECASE)


def with_names(rows: DataFrame, *, heed_live: bool) -> DataFrame:
    """Rows with `title` and `artist`, and beside them both normalized: `name_title`, `name_artist`.

    `name_core` is the title without what stands in brackets; '' where nothing does. Rows where either is
    empty are left out: nothing is known by half a name. Without `heed_live`, '(Live at ...)' and
    ' - Live ...' are taken from the title: the same words are sung.
    """
    schema = StructType([*rows.schema.fields, *(StructField(key, StringType()) for key in KEYS)])
    whole = rows.where("title IS NOT NULL AND artist IS NOT NULL")
    # not the UDFs of songmood.names.normalize: Spark would call those once more for every filter and join key
    return whole.mapInPandas(partial(_add_names, heed_live=heed_live), schema)


def _add_names(batches: Iterator[pd.DataFrame], heed_live: bool) -> Iterator[pd.DataFrame]:
    for rows in batches:
        titles = rows["title"] if heed_live else rows["title"].map(_without_live)
        named = rows.assign(
            name_title=titles.map(normalize_title),
            name_artist=rows["artist"].map(normalize_artist),
            name_core=titles.map(_core),
        )
        yield named[(named["name_title"] != "") & (named["name_artist"] != "")]


def _without_live(title: str) -> str:
    return _LIVE.sub("", title)


def _core(title: str) -> str:
    core = normalize_title(_BRACKETED.sub(" ", title))
    return "" if core == normalize_title(title) else core


class Match(NamedTuple):
    """The best of some candidates: its `place` among them, its names, and how alike they are (0 to 100)."""

    place: int
    title: str
    artist: str
    score: float
    accepted: bool
    difference: str | None

    def nearest(self) -> str:
        """For people: what came near, and how it falls short."""
        return f"nearest: '{self.title}' by '{self.artist}' ({self.difference})"


def best_match(
    title: str | None, artist: str | None, candidates: Sequence[tuple[str, str]], settings: EnrichSettings
) -> Match | None:
    """The candidate (title, artist) that is the song, or else comes nearest; None if none does.

    The same as `match_names`, for one song's lyrics and a handful of candidates: live is not heeded.
    """
    names = pd.DataFrame([(title or "", artist or ""), *candidates], columns=["title", "artist"]).astype(str)
    (named,) = _add_names(iter([names]), heed_live=False)
    if 0 not in named.index or len(named) == 1:
        return None
    song, others = named.loc[0], named.drop(index=0)
    pairs = pd.DataFrame(
        {
            "song_id": others.index - 1,
            **{key: song[key] for key in KEYS},
            **{f"known_{key.removeprefix('name_')}": others[key] for key in KEYS},
            "match_title": others["title"],
            "match_artist": others["artist"],
        }
    )
    (compared,) = compare_names(iter([pairs]), settings, heed_live=False)
    if compared.empty:
        return None
    best = compared.sort_values(
        ["accepted", "match_score", "song_id"], ascending=[False, False, True], kind="stable"
    ).iloc[0]
    return Match(
        int(best["song_id"]),
        best["match_title"],
        best["match_artist"],
        float(best["match_score"]),
        bool(best["accepted"]),
        best["difference"],
    )


def match_names(
    songs: DataFrame, names: DataFrame, settings: EnrichSettings, *, heed_live: bool
) -> DataFrame:
    """The best name for each song, of those that a source knows.

    `songs` (song_id, name_title, name_artist; several rows a song where it has several names) and
    `names` (name_title, name_artist, title, artist) come from `with_names`. A name equal in both parts
    is taken. Otherwise candidates are names with an equal artist or an equal title (blocking: at most
    conf.max_candidates of a block, in the order of the other part), each part is compared, and the
    best is kept, ties in alphabetical order.

    Returns song_id, match_title, match_artist (as the source spells them), match_score (mean of both
    similarities, 0 to 100), accepted (both thresholds passed, nothing that forbids it) and difference
    (how it falls short, for people; null if accepted). A song without any candidate that is
    conf.near_miss alike in both has no row. With `heed_live` a recording is sought: a mix or another
    version of it is not it.
    """
    known = names.groupBy(
        F.col("name_title").alias("known_title"), F.col("name_artist").alias("known_artist")
    ).agg(F.min(F.struct("title", "artist", "name_core")).alias("spelled"))
    same = (F.col("name_title") == F.col("known_title")) & (F.col("name_artist") == F.col("known_artist"))
    asked = songs.select("song_id", *KEYS).join(known, same, "left")
    # a name that has its equal enters no block
    asked = asked.withColumn("block", F.explode_outer(F.when(F.col("spelled").isNull(), _blocks(*KEYS[:2]))))
    pairs = asked.join(_blocked(known, settings.max_candidates), "block", "left").select(
        "song_id",
        *KEYS,
        *(F.coalesce(column, f"near_{column}").alias(column) for column in known.columns),
    )
    pairs = pairs.where("spelled IS NOT NULL").select(
        *(c for c in pairs.columns if c != "spelled"),
        F.col("spelled.title").alias("match_title"),
        F.col("spelled.artist").alias("match_artist"),
        F.col("spelled.name_core").alias("known_core"),
    )
    scored = pairs.mapInPandas(partial(compare_names, settings=settings, heed_live=heed_live), _COMPARED)
    result = ("match_title", "match_artist", "match_score", "accepted", "difference")
    order = (~F.col("accepted"), -F.col("match_score"), "known_title", "known_artist")
    best = scored.groupBy("song_id").agg(F.min(F.struct(*order, *result)).alias("best"))
    return best.select("song_id", *(F.col(f"best.{column}") for column in result))


_COMPARED = (
    "song_id string, known_title string, known_artist string, match_title string, match_artist string, "
    "match_score double, accepted boolean, difference string"
)


def compare_names(
    batches: Iterator[pd.DataFrame], settings: EnrichSettings, *, heed_live: bool
) -> Iterator[pd.DataFrame]:
    """Compare pairs of names; those under conf.near_miss in either part are left out."""
    for pairs in batches:
        titles = similarity(pairs["name_title"], pairs["known_title"])
        titles = np.where(_differ_by_subtitle(pairs), np.maximum(titles, SUBTITLE), titles)
        artists = similarity(pairs["name_artist"], pairs["known_artist"])
        shared = [
            _share_credit(*names) for names in zip(pairs["name_artist"], pairs["known_artist"], strict=True)
        ]
        artists = np.where(np.array(shared, dtype=bool), np.maximum(artists, SHARED_CREDIT), artists)
        near = np.minimum(titles, artists) >= settings.near_miss
        pairs, titles, artists = pairs[near].copy(), titles[near], artists[near]
        words = VERSION_WORDS | LANGUAGES | PAGE_WORDS | (RECORDING_WORDS if heed_live else set())
        named = (pairs[c] for c in ("name_title", "name_artist", "known_title", "known_artist"))
        forbidding = [
            ", ".join(sorted(telling_words(words, title, artist) ^ telling_words(words, *known)))
            for title, artist, *known in zip(*named, strict=True)
        ]
        alike = (titles >= settings.min_title_similarity) & (artists >= settings.min_artist_similarity)
        accepted = alike & np.array([not only for only in forbidding], dtype=bool)
        difference = [
            None
            if ok
            else f"title {title:.0f}, artist {artist:.0f}" + (f", only one has: {only}" if only else "")
            for ok, title, artist, only in zip(accepted, titles, artists, forbidding, strict=True)
        ]
        yield pd.DataFrame(
            {
                **{c: pairs[c] for c in _COMPARED_FROM},
                "match_score": (titles + artists) / 2,
                "accepted": accepted,
                "difference": pd.Series(difference, index=pairs.index, dtype=object),
            }
        )


_COMPARED_FROM = ("song_id", "known_title", "known_artist", "match_title", "match_artist")


def similarity(left: pd.Series, right: pd.Series) -> npt.NDArray[np.float64]:
    """The likeness of each pair by letters, 0 to 100, whatever the order of the words.

    It is token_sort_ratio, or the ratio as it stands where that is 95 or more ('aRw Deal' sorts elsewhere),
    or 100 where only spaces, 'and' and a 'the' before it differ.
    """
    sorted_, plain = (
        process.cpdist(left.to_list(), right.to_list(), scorer=scorer, dtype=np.float64)
        for scorer in (fuzz.token_sort_ratio, fuzz.ratio)
    )
    joined = [column.str.replace(r"^the |\band\b|\s", "", regex=True).to_numpy() for column in (left, right)]
    likeness = np.where(plain >= 95, np.maximum(plain, sorted_), sorted_)
    scores: npt.NDArray[np.float64] = np.where(joined[0] == joined[1], 100.0, likeness)
    return scores


def _differ_by_subtitle(pairs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """One title has something in brackets, and is the other without."""
    core, known = pairs["name_core"], pairs["known_core"]
    one = (core != "") & (core == pairs["known_title"])
    other = (known != "") & (known == pairs["name_title"])
    return np.asarray(one | other)


def _share_credit(one: str, other: str) -> bool:
    """One artist is among several that the other names."""
    if len(one) == len(other):
        return False
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) > 1 and shorter in {normalize_artist(part) for part in _CREDIT.split(longer)}


def telling_words(telling: set[str], title: str, artist: str) -> set[str]:
    """The words that tell one song or version from another: those of `telling`, and the title's numbers.

    Number words and Roman numerals count as their digits: 'Part II' is 'Part 2'.
    """
    words = title.split()
    numbers = {number.lstrip("0") or "0" for number in _DIGITS.findall(title)}
    numbers |= {_NUMBERS[word] for word in words if word in _NUMBERS}
    return numbers | (telling & {*words, *artist.split()})


def _blocks(title: str, artist: str) -> Column:
    return F.array(F.concat(F.lit("title "), title), F.concat(F.lit("artist "), artist))


def _blocked(known: DataFrame, most: int) -> DataFrame:
    # 'Various Artists' or 'Intro' would meet thousands; the order is by name, so every run meets the same
    place = F.row_number().over(Window.partitionBy("block").orderBy("known_title", "known_artist"))
    blocked = known.withColumn("block", F.explode(_blocks("known_title", "known_artist")))
    return (
        blocked.withColumn("place", place)
        .where(F.col("place") <= most)
        .select("block", *(F.col(column).alias(f"near_{column}") for column in known.columns))
    )
