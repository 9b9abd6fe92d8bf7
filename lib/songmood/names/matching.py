"""Which name in a source means which song: the one matcher of titles and artists.

`token_set_ratio` does not serve: it gives 'Stay' and 'Stay With Me' 100. Title and artist are each
compared by `token_sort_ratio` after normalizing. Names that differ in a number or in a word for another
version are refused, however similar they are otherwise.
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

from songmood.names.credits import split_artists
from songmood.names.normalize import LONGEST_NAME, normalize_artist, normalize_title
from songmood.names.numbers import possible_numbers
from songmood.names.words import LANGUAGE_WORDS, OTHER_SONG_WORDS, PAGE_WORDS, RECORDING_WORDS
from songmood.settings import EnrichSettings

KEYS = ("name_title", "name_artist", "name_core")

# The similarity, 0 to 100, of a title with a subtitle to the title alone ('Stay (I Missed You)'), and of
# an artist to a credit that names the artist among others ('Ann & Bo').
_SUBTITLE, _SHARED_CREDIT = 92.0, 90.0
# Names that differ in one of these words are not one song's.
_FORBIDDING = OTHER_SONG_WORDS | LANGUAGE_WORDS | PAGE_WORDS

_BRACKETED = re.compile(r"\s*[(\[][^()\[\]]*[)\]]?")
_LIVE = re.compile(r"\s*[(\[]live\b(?! and)[^()\[\]]*[)\]]|\s-\s+live\b.*$", re.IGNORECASE)


def with_names(rows: DataFrame, *, heed_live: bool) -> DataFrame:
    """Rows with `title` and `artist`, and both normalized as `name_title` and `name_artist`.

    `name_core` is the title without its parts in brackets, or '' if it has none. Rows whose title or
    artist is empty are left out: half a name identifies nothing. Without `heed_live`, '(Live at ...)' and
    ' - Live ...' are removed from the title, for the words sung are the same.
    """
    schema = StructType([*rows.schema.fields, *(StructField(key, StringType()) for key in KEYS)])
    complete = rows.where("title IS NOT NULL AND artist IS NOT NULL")
    # not by the UDFs of normalize.py: Spark would call them again for every filter and join key
    return complete.mapInPandas(partial(_add_names, heed_live=heed_live), schema)


def _add_names(batches: Iterator[pd.DataFrame], heed_live: bool) -> Iterator[pd.DataFrame]:
    for rows in batches:
        titles = rows["title"].str.slice(0, LONGEST_NAME)
        titles = titles if heed_live else titles.map(_without_live)
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
    """The best of some candidates: its `place` among them, its names, and how similar they are (0 to 100)."""

    place: int
    title: str
    artist: str
    score: float
    accepted: bool
    difference: str | None

    def nearest(self) -> str:
        """A line for people: the nearest name, and why it was refused."""
        return f"nearest: '{self.title}' by '{self.artist}' ({self.difference})"


def best_match(
    title: str | None, artist: str | None, candidates: Sequence[tuple[str, str]], settings: EnrichSettings
) -> Match | None:
    """The best of the candidates (title, artist), accepted or not; None if none is near.

    It decides as `match_names` does, for the lyrics of one song: without `heed_live`.
    """
    names = pd.DataFrame([(title or "", artist or ""), *candidates], columns=["title", "artist"]).astype(str)
    (named,) = _add_names(iter([names]), heed_live=False)
    if 0 not in named.index or len(named) == 1:
        return None
    song, found = named.loc[0], named.drop(index=0)
    pairs = pd.DataFrame(
        {
            "song_id": found.index - 1,
            **{key: song[key] for key in KEYS},
            **{f"known_{key.removeprefix('name_')}": found[key] for key in KEYS},
            "match_title": found["title"],
            "match_artist": found["artist"],
        }
    )
    (compared,) = compare_names(iter([pairs]), settings, heed_live=False)
    if compared.empty:
        return None
    order = ["accepted", "match_score", "song_id"]
    best = compared.sort_values(order, ascending=[False, False, True], kind="stable").iloc[0]
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
    """The best name for each song among those that a source knows.

    `songs` (song_id, name_title, name_artist; several rows for a song with several names) and `names`
    (name_title, name_artist, title, artist) come from `with_names`. A name that is equal in both parts is
    taken. Otherwise the candidates are the names with an equal artist or an equal title (blocking; at most
    settings.max_candidates of a block, in the order of the other part). Both parts are compared, and the
    best candidate is kept; ties are broken by alphabet.

    Returns song_id, match_title and match_artist (as the source spells them), match_score (the mean of
    both similarities, 0 to 100), accepted (both thresholds are passed and nothing forbids it) and
    difference (why it was refused, for people; null if accepted). A song has no row if no candidate
    reaches settings.near_miss in both parts. `heed_live` means that a recording is looked for: then a mix
    or another version is refused, too.
    """
    spellings = names.groupBy(
        F.col("name_title").alias("known_title"), F.col("name_artist").alias("known_artist")
    ).agg(F.min(F.struct("title", "artist", "name_core")).alias("spelled"))
    equal = (F.col("name_title") == F.col("known_title")) & (F.col("name_artist") == F.col("known_artist"))
    sought = songs.select("song_id", *KEYS).join(spellings, equal, "left")
    # only a name without an equal enters the blocks
    blocks = F.when(F.col("spelled").isNull(), _blocks(*KEYS[:2]))
    sought = sought.withColumn("block", F.explode_outer(blocks))
    pairs = sought.join(_blocked(spellings, settings.max_candidates), "block", "left").select(
        "song_id",
        *KEYS,
        *(F.coalesce(column, f"near_{column}").alias(column) for column in spellings.columns),
    )
    pairs = pairs.where("spelled IS NOT NULL").select(
        *(column for column in pairs.columns if column != "spelled"),
        F.col("spelled.title").alias("match_title"),
        F.col("spelled.artist").alias("match_artist"),
        F.col("spelled.name_core").alias("known_core"),
    )
    scored = pairs.mapInPandas(partial(compare_names, settings=settings, heed_live=heed_live), _COMPARED)
    result = ("match_title", "match_artist", "match_score", "accepted", "difference")
    order = (~F.col("accepted"), -F.col("match_score"), "known_title", "known_artist")
    best = scored.groupBy("song_id").agg(F.min(F.struct(*order, *result)).alias("best"))
    return best.select("song_id", *(F.col(f"best.{column}") for column in result))


def _blocks(title: str, artist: str) -> Column:
    return F.array(F.concat(F.lit("title "), title), F.concat(F.lit("artist "), artist))


def _blocked(spellings: DataFrame, most: int) -> DataFrame:
    # 'Various Artists' and 'Intro' have thousands of names; ordered by name, every run takes the same ones
    place = F.row_number().over(Window.partitionBy("block").orderBy("known_title", "known_artist"))
    blocked = spellings.withColumn("block", F.explode(_blocks("known_title", "known_artist")))
    return (
        blocked.withColumn("place", place)
        .where(F.col("place") <= most)
        .select("block", *(F.col(column).alias(f"near_{column}") for column in spellings.columns))
    )


_KEPT = ("song_id", "known_title", "known_artist", "match_title", "match_artist")
_COMPARED = (
    "song_id string, known_title string, known_artist string, match_title string, match_artist string, "
    "match_score double, accepted boolean, difference string"
)


def compare_names(
    batches: Iterator[pd.DataFrame], settings: EnrichSettings, *, heed_live: bool
) -> Iterator[pd.DataFrame]:
    """Compare pairs of names; pairs below settings.near_miss in either part are left out."""
    telling = _FORBIDDING | RECORDING_WORDS if heed_live else _FORBIDDING
    for pairs in batches:
        titles = _title_similarity(pairs)
        artists = _artist_similarity(pairs)
        near = np.minimum(titles, artists) >= settings.near_miss
        pairs, titles, artists = pairs[near].copy(), titles[near], artists[near]
        names = (pairs[name] for name in ("name_title", "name_artist", "known_title", "known_artist"))
        forbidding = [
            ", ".join(sorted(telling_words(telling, title, artist) ^ telling_words(telling, *match)))
            for title, artist, *match in zip(*names, strict=True)
        ]
        alike = (titles >= settings.min_title_similarity) & (artists >= settings.min_artist_similarity)
        accepted = alike & np.array([not words for words in forbidding], dtype=bool)
        difference = [
            None if accept else _difference(*similarities)
            for accept, *similarities in zip(accepted, titles, artists, forbidding, strict=True)
        ]
        yield pd.DataFrame(
            {
                **{column: pairs[column] for column in _KEPT},
                "match_score": (titles + artists) / 2,
                "accepted": accepted,
                "difference": pd.Series(difference, index=pairs.index, dtype=object),
            }
        )


def _difference(title: float, artist: float, forbidding: str) -> str:
    words = f", only one has: {forbidding}" if forbidding else ""
    return f"title {title:.0f}, artist {artist:.0f}{words}"


def _title_similarity(pairs: pd.DataFrame) -> npt.NDArray[np.float64]:
    scores = similarity(pairs["name_title"], pairs["known_title"], in_order=True)
    return np.where(_differ_by_subtitle(pairs), np.maximum(scores, _SUBTITLE), scores)


def _artist_similarity(pairs: pd.DataFrame) -> npt.NDArray[np.float64]:
    scores = similarity(pairs["name_artist"], pairs["known_artist"])
    credits = zip(pairs["name_artist"], pairs["known_artist"], strict=True)
    shared = np.array([_share_credit(*names) for names in credits], dtype=bool)
    return np.where(shared, np.maximum(scores, _SHARED_CREDIT), scores)


def similarity(left: pd.Series, right: pd.Series, *, in_order: bool = False) -> npt.NDArray[np.float64]:
    """The similarity of each pair of texts by their letters, 0 to 100.

    It is token_sort_ratio, for which the order of the words is nothing; or ratio where that is 95 or more
    ('aRw Deal' is sorted elsewhere); or 100 if only spaces, 'and' and a leading 'the' differ. Texts that
    have the same words in another order are not similar at all with `in_order`: 'Is This Love' and 'This
    Is Love' are two songs.
    """
    by_words, by_letters = (
        process.cpdist(left.to_list(), right.to_list(), scorer=scorer, dtype=np.float64)
        for scorer in (fuzz.token_sort_ratio, fuzz.ratio)
    )
    joined = [column.str.replace(r"^the |\band\b|\s", "", regex=True).to_numpy() for column in (left, right)]
    similarities = np.where(by_letters >= 95, np.maximum(by_letters, by_words), by_words)
    if in_order:
        words = [column.str.split().map(sorted) for column in (left, right)]
        reordered = (words[0] == words[1]).to_numpy() & (left != right).to_numpy()
        similarities = np.where(reordered, 0.0, similarities)
    scores: npt.NDArray[np.float64] = np.where(joined[0] == joined[1], 100.0, similarities)
    return scores


def _differ_by_subtitle(pairs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """One title is the other without its parts in brackets."""
    core, known_core = pairs["name_core"], pairs["known_core"]
    ours = (core != "") & (core == pairs["known_title"])
    theirs = (known_core != "") & (known_core == pairs["name_title"])
    return np.asarray(ours | theirs)


def _share_credit(left: str, right: str) -> bool:
    """One artist is among several whom the other credit names."""
    if len(left) == len(right):
        return False
    shorter, longer = sorted((left, right), key=len)
    return len(shorter) > 1 and shorter in {normalize_artist(part) for part in split_artists(longer)}


def telling_words(telling: set[str], title: str, artist: str) -> set[str]:
    """The words of a normalized name that tell it from others: those of `telling`, and the title's numbers.

    Number words and Roman numerals count as digits: 'Part II' is 'Part 2'.
    """
    return possible_numbers(title) | (telling & {*title.split(), *artist.split()})
