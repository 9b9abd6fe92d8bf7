"""Ten thousand hostile records go from files to one row for each song, and none is lost."""

from __future__ import annotations

import json
import random
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import list_files
from songmood.settings import Settings
from songmood.steps.dedupe import dedupe_songs
from songmood.steps.filter import filter_songs
from songmood.steps.ingest import ingest_songs

pytestmark = pytest.mark.slow

RECORDS = 10_000
CONTROLS = [chr(code) for code in (*range(32), 0x7F, 0x85, 0xA0, 0xAD, 0x61C, 0x180E, 0xFEFF, 0xFFFE, 0xFFFF)]
MARKS = [
    chr(code) for code in (*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xE0001)
]
ODD_TITLES = [
    *("", " ", "-", "- - -", "—–‐", "...", "?", "!!!", "÷", "()", "[]", "(((", ")))", '"', "'", '"""', "\\"),
    *("\\n", "null", "NaN", "unk", "None", "undefined", "Infinity", "-1", "1e999", "0x1F", "½", "Ⅻ"),
    *("007", "someone@example.com", "https://example.com/a?b=c#d", "www.example.com/%ED%A0%80"),
    *("C:\\songs\\a.mp3", "<b>", "<br><br>", "<script>alert(1)</script>", "&amp;" * 50, "&#xD800;", "&#0;"),
    *("&lt;&amp;lt;", "&amp;#38;#39;", "' OR 1=1 --", "${jndi:ldap://x}", "{{7*7}}", "%s%n%d", "=1+1"),
    *("../../etc/passwd", "a/b|c~d", "|", "a|b", "Live", "(Live)", "Remix", "feat.", "feat. feat. feat."),
    *("ft. ft.", "by", " by ", "The", ", The", "The, The", "Part", "Part XIII", "Pt. IIII"),
    *("Vol. MMMMCMXCIX", "No.", "1.", "01 -", "001-", "Track", "Track 01", "5. ", "Title (", "Title ["),
    *("Title )", "Title ]]", 'Title "', "(Title", "{Title", "Title (feat.", "Title - ", ": Title"),
]
HUGE = [
    *("a", "a ", " ", "(", "[", "x - ", "feat. a ", "(live) ", "the ", ", the", "&amp;", "\u0301", "漢"),
    *("1,", "é"),
]
IDS: list[Any] = [
    *(None, "", " ", "null", "NaN", float("nan"), float("inf"), -float("inf"), 0, -1, 1e308, 10**30, True),
    *([], {}, {"$oid": "5714dec325ac0d8aee3804c1"}, {"$oid": None}, {"$oid": {"$oid": "x"}}),
    *({"$numberLong": "7"}, ["a", "b"], 'ObjectId("5d")', "12345678.0", "1.2345678E7", "\x00", "\u200b"),
    *("\ud800", "a\nb", "a\tb", "x" * 10_000, "spotify:track:0123456789abcdefghiJKL"),
    *("https://open.spotify.com/track/0123456789abcdefghiJKL?si=%", "0123456789abcdefghiJKL"),
    *("US-RC1-76-07839", "ISRC USRC17607839", "usrc17607839", "E58ED763-928C-4155-BEE9"),
]
NUMBERS: list[Any] = [
    *(None, "", "NaN", float("nan"), float("inf"), -1, 0, 1e400, 10**40, "1e400", "99:99", "3m 59sec", "PT"),
    *("-", "٣", "1:2:3:4", "0", "239", 239_000, "3.982", "9" * 400, "'75", "75", "1975-99-99", -62135596800),
    *("20 09", {"a": 1}),
]
BROKEN = [
    *("{", "}", '{"_id": "a"', '{"_id": "a" "title": "b"}', '{"_id": "b", "title": "\x01"}', "null", "5"),
    *('"text"', "NaN", '{"_id": 007}', "{'_id': 'c'}", '{"_id": "d",}'),
    *('{"_id": "\\ud800", "title": "\\udc00"}', '{"_id": "e", "title": "\\x"}'),
    *('{"_id": "f", "_id": "g", "artist": 1, "title": 2}', '{"": ""}'),
    *('{"_id": "h", "title": 1e400, "length": -0}', "{}"),
    '{"_id": "deep", "title": ' + "[" * 3000 + "]" * 3000 + "}",
    '{"_id": "deeper", "title": ' + '{"a":' * 900 + "1" + "}" * 900 + "}",
    *('{"_id": "digits", "length": ' + "9" * 5000 + "}", "\x00\x00\x00"),
]


def characters(chance: random.Random) -> str:
    """Some characters of a block of Unicode, or of several."""
    start = chance.randrange(0, sys.maxunicode, 64)
    spread = chance.choice((64, 64, 2000))
    codes = (min(start + chance.randrange(spread), sys.maxunicode) for _ in range(chance.randint(1, 12)))
    return "".join(chr(code) for code in codes)


def numeral(number: int) -> str:
    digits = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    written = "M" * (number // 1000)
    for place, letters in ((100, "CDM"), (10, "XLC"), (1, "IVX")):
        written += digits[number // place % 10].translate(str.maketrans("IVX", letters))
    return written


def text_of(chance: random.Random) -> str:
    """One hostile name."""
    kind = chance.randrange(9)
    if kind == 0:
        return f"{chance.choice(('Symphony No.', 'Part', 'River', ''))} {numeral(chance.randint(1, 4999))}"
    if kind == 1:
        return chance.choice(ODD_TITLES)
    if kind == 2:
        return "".join(
            chance.choices(["(", ")", "[", "]", "{", "}", '"', "'", " - ", ":", "/", "Song", "Live"], k=8)
        )
    if kind == 3:
        return "Song".join(chance.choice(CONTROLS + MARKS) for _ in range(4))
    if kind == 4:
        return chance.choice("aéж漢🎵\u0301") * chance.randint(50, 600)  # a very long word
    if kind == 5:
        return unicodedata.normalize(chance.choice(("NFD", "NFKC")), characters(chance)) + " Song"
    if kind == 6:
        return f"{chance.choice(ODD_TITLES)} - {chance.choice(ODD_TITLES)} ({chance.choice(ODD_TITLES)})"
    return characters(chance)


def records(chance: random.Random) -> Iterator[str]:
    """JSON lines, of which each is one record, or one that is broken."""
    for place in range(RECORDS):
        if place % 50 == 49:  # not the first line, which tells how a file is written
            yield chance.choice(BROKEN)
            continue
        record: dict[str, Any] = {
            "_id": chance.choice(IDS) if place % 10 == 0 else f"song-{place}",
            **{name: text_of(chance) for name in ("artist", "title", "albumTitle")},
            **{
                name: chance.choice(NUMBERS)
                for name in ("length", "publicationDateAlbum", "track_number", "rank")
            },
            **{
                name: chance.choice(IDS)
                for name in ("urlSpotify", "isrc", "id_song_musicbrainz", "lastfm_id")
            },
            "language": chance.choice(
                [None, "", "english", "en_US", "ENGLISH (US)", "12", characters(chance)]
            ),
        }
        if place % 97 == 0:
            record["title"] = chance.choice([None, 5, True, ["a"], {"b": {"c": []}}, float("nan")])
        if place % (RECORDS // 20) == 7:
            piece = chance.choice(HUGE)
            record["title"] = piece * (2**20 // len(piece.encode()))
        yield json.dumps(record, ensure_ascii=bool(place % 2) or "\ud800" in str(record))


def test_ten_thousand_hostile_records(
    spark: SparkSession, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings("filter.required_ids=[]", "filter.languages=[]")
    (tmp_path / "songs").mkdir()
    lines = [line.replace("\n", " ").replace("\r", " ") for line in records(random.Random(5))]
    for part in range(2):
        text = "".join(f"{line}\n" for line in lines[part::2])  # without a last line end, the file looks cut
        file = tmp_path / "songs" / f"song{part}.jsonl"
        file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    ingested = ingest_songs(spark, list_files(str(tmp_path), "songs"), settings.ingest)
    songs = ingested.songs.cache()
    rejected = ingested.rejects.agg(F.sum("count")).collect()[0][0]
    assert songs.count() + rejected == len(lines) == RECORDS
    assert songs.count() > RECORDS * 0.85
    filtered = filter_songs(songs, None, settings.filter).filtered.cache()
    assert filtered.count() == songs.count()
    result = dedupe_songs(spark, filtered, settings.dedupe)
    for frame in result.shared:
        frame.persist()
    assert result.deduped.count() + result.duplicates.count() == filtered.count()
    assert result.song_records.count() == filtered.count()
    kept = result.deduped.select("song_id")
    assert result.song_records.join(kept, "song_id", "left_anti").isEmpty()
    assert result.duplicate_pairs.where("NOT (similarity BETWEEN 0 AND 1)").isEmpty()
