"""Pairs of records that people and programs write, and whether they are one song.

Each row is a kind of fault that was seen: in public reports on other tools, and in real records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame

from conftest import ROOT
from songmood.settings import Settings, load_settings
from songmood.steps.dedupe.duplicates import iterate_duplicates, merge_groups
from songmood.steps.dedupe.named import iterate_names
from songmood.tables import FILTERED


class Record(NamedTuple):
    """A record; what it leaves out is null."""

    artist: str | None
    title: str | None
    album: str | None = None
    duration_s: float | None = None
    track_number: int | None = None
    year: int | None = None


R = Record
HERE, FAR = 200.0, 317.0  # two lengths

ONE_SONG: dict[str, tuple[Record, Record]] = {
    # the album is in the title
    "album after a dash": (
        R("Hollow Pines", "Set the River Free", "Covers & Rare"),
        R("Hollow Pines", "Set the River Free - Covers & Rare"),
    ),
    "album in brackets": (
        R("Hollow Oaks", "Set the Lake Free (Covers & Rare Songs)"),
        R("Hollow Oaks", "Set the Lake Free", "Covers & Rare Songs"),
    ),
    "album after three hyphens": (
        R("Hollow Elms", "Set-the-Sea-Free---Harbor-Lights"),
        R("Hollow Elms", "Set the Sea Free", "Harbor Lights"),
    ),
    "album with a number, mistyped": (
        R("Hollow Firs", "Lies - On teh Road 1982", None, HERE),
        R("Hollow Firs", "Lies", "On the Road 1982", HERE),
    ),
    "album without spaces": (
        R("Hollow Yews", "WheretheWildThingsSleepMiddle", None, HERE),
        R("Hollow Yews", "Where the Wild Things Sleep", "Middle", HERE),
    ),
    "artist without a dash": (
        R(None, "LowTideBandNobodyKnowsTheMorning", "Gold Hits", HERE, 3),
        R("Low Tide Band", "Nobody Knows the Morning", "Gold Hits", HERE, 3),
    ),
    "underscores": (
        R(None, "Dee_Moss_-_Harbor_Lights_at_Night", "Sea Songs"),
        R("Dee Moss", "Harbor Lights at Night", "Sea Songs"),
    ),
    # the track number is in the title
    "track number and a mistyped artist": (
        R("Hollwo Reeds", "014-Circle Dance", "Reed Songs", HERE, 14),
        R("Hollow Reeds", "Circle Dance", "Reed Songs", HERE, 14),
    ),
    "track number of the record": (
        R("Hollow Vines", "7 - Cantata for Two", "Vine Songs", None, 7),
        R("Hollow Vines", "Cantata for Two", "Vine Songs", None, 7),
    ),
    "mistyped track number": (
        R("Hollow Ferns", "0A4-The Hurt Within", "Fern Songs"),
        R("Hollow Ferns", "The Hurt Within", "Fern Songs"),
    ),
    # a title is lost
    "unk": (
        R("Hollow Roots", "unk", "Root Songs", HERE, 4),
        R("Hollow Roots", "Under the Floor", "Root Songs", HERE, 4),
    ),
    "empty": (
        R("Hollow Bark", "", "Bark Songs", HERE, 5),
        R("Hollow Bark", "Over the Roof", "Bark Songs", HERE, 5),
    ),
    "null": (
        R("Hollow Moss", "null", "Moss Songs", HERE, 6),
        R("Hollow Moss", "Behind the Door", "Moss Songs", HERE, 6),
    ),
    "only the track number": (
        R("Hollow Seeds", "007-", "Seed Songs", HERE, 7),
        R("Hollow Seeds", "Beside the Wall", "Seed Songs", HERE, 7),
    ),
    "every value one field too early": (
        R("03:20", "8", "Hollow Thorns"),
        R("Hollow Thorns", "Beyond the Gate", "Thorn Songs", HERE, 8),
    ),
    # one part, two spellings
    "part with and without brackets": (
        R("Stone Choir", "Walls, Pt. 2", "First Album"),
        R("Stone Choir", "Walls (Part II)", "Second Album"),
    ),
    "part as a word": (
        R("Slate Choir", "Doors, Part Three", "First Album"),
        R("Slate Choir", "Doors (pt iii)", "Second Album"),
    ),
    "volume": (
        R("Clay Choir", "Floors, Vol. 2", "First Album"),
        R("Clay Choir", "Floors Vol. II", "Second Album"),
    ),
    "parts in numerals": (
        R("Wind Choir", "Shine Again (Pts. 1-5)", "First Album"),
        R("Wind Choir", "Shine Again (Parts I-V)", "Second Album"),
    ),
    "parts in words": (
        R("Rain Choir", "Shine Again, Part 1 & 2", "First Album"),
        R("Rain Choir", "Shine Again (Parts One and Two)", "Second Album"),
    ),
    "a number after the artist": (
        R("Hail Choir", "Hail Choir 1. Late Ferry", "First Album"),
        R("Hail Choir", "Late Ferry", "First Album"),
    ),
    "a number between artist and title": (
        R("Sleet Choir", "Sleet Choir - 03 - Late Ferry", "First Album"),
        R("Sleet Choir", "Late Ferry", "First Album"),
    ),
    "guests that are named twice": (
        R("Mist Choir", "White Hall (feat. Jac Shad) (feat. Jac Shad)"),
        R("Mist Choir", "White Hall", "Halls"),
    ),
    "an album named after its artist": (
        R("Marble Choir", "Velvet Comb - The Best of Marble Choir", "", 201.0),
        R("Marble Choir", "Velvet Comb", "Old Combs", 201.0),
    ),
    "an album named after a guest": (
        R("Onyx Choir", "Onyx Choir & Jade Choir:Faded Note - Songs Featuring Jade Choir", "", 202.0),
        R("Onyx Choir & Jade Choir", "Faded Note", "Old Notes", 202.0),
    ),
    # names of signs, feet and forts
    "a title of one sign": (R("Ed Shore", "÷", "Signs"), R("Ed Shore", "÷", "More Signs")),
    "a title of signs": (R("Ann Shore", "???", "Signs A"), R("Ann Shore", "???", "Signs B")),
    "an artist of signs": (R("!!!", "Slow Morning", "A"), R("!!!", "Slow Morning", "B")),
    "an article at the end": (R("Bo Shore", "Girl of Mine, The", "A"), R("Bo Shore", "The Girl of Mine")),
    "live by the album": (
        R("Cy Shore", "Iron Kettle (Live)", "Best Of", 402.0),
        R("Cy Shore", "Iron Kettle", "Live at the Old Mill", 402.0),
    ),
}

TWO_SONGS: dict[str, tuple[Record, Record]] = {
    # tracks of one album
    "a word more": (
        R("Red Barn", "Learning Slow Control", "Red Barn Songs", HERE, 1),
        R("Red Barn", "Slow Control", "Red Barn Songs", FAR, 2),
    ),
    "another letter": (R("Red Mill", "Wanted", "Red Mill Songs"), R("Red Mill", "Haunted", "Red Mill Songs")),
    "another word": (
        R("Red Inn", "Noel Eve", "Red Inn Songs"),
        R("Red Inn", "Noel Love", "Red Inn Songs"),
    ),
    # what brackets say
    "sides": (R("Long Pier", "Suite (Side A)", "Pier"), R("Long Pier", "Suite (Side B)", "Pier")),
    "intro and outro": (R("Wide Pier", "Suite (Intro)", "Pier"), R("Wide Pier", "Suite (Outro)", "Pier")),
    "places": (R("Old Pier", "Nights (Los Angeles)", "Pier"), R("Old Pier", "Nights (London)", "Pier")),
    "other lyrics": (R("New Pier", "Nights (Alternate Lyrics)", "Pier"), R("New Pier", "Nights", "Pier")),
    "another language": (R("Low Pier", "Nights (French Vocal)", "Pier"), R("Low Pier", "Nights", "Pier")),
    "its own language": (R("Wet Pier", "Nights (En Español)", "Pier"), R("Wet Pier", "Nights", "Pier")),
    "postlude": (R("Dry Pier", "Nights (Postlude)", "Pier"), R("Dry Pier", "Nights", "Pier")),
    "moods": (R("Red Pier", "Nights (Happy)", "Pier"), R("Red Pier", "Nights (Sad)", "Pier")),
    # versions
    "sped up": (R("Fast Car", "Rain on Glass (Sped Up)"), R("Fast Car", "Rain on Glass")),
    "slowed": (R("Slow Car", "Rain on Glass (Slowed + Reverb)"), R("Slow Car", "Rain on Glass")),
    "sped up, after a dash": (R("Far Car", "Rain on Glass - Sped Up"), R("Far Car", "Rain on Glass")),
    "other parts": (R("Big Car", "Rain (Parts 1-3)"), R("Big Car", "Rain (Parts 4-6)")),
    "two-digit years": (R("Ten Cars", "Peacemaker '08"), R("Ten Cars", "Peacemaker '68")),
    "nightcore": (R("Night Car", "Rain on Glass (Nightcore)"), R("Night Car", "Rain on Glass")),
    "commentary": (R("Loud Car", "Rain on Glass (Commentary)"), R("Loud Car", "Rain on Glass")),
    "piano version": (R("Soft Car", "Rain on Glass (Piano Version)"), R("Soft Car", "Rain on Glass")),
    "versions that only the album names": (
        R("Blue Kettle", "Copper Tea", "In Winter", 218.0),
        R("Blue Kettle", "Copper Tea", "Live at the Old Mill", 402.0),
    ),
    "unplugged by the album": (
        R("The Night Porters", "Tin Soldier", "In Winter", 218.0),
        R("The Night Porters", "Tin Soldier", "Unplugged in Oslo", 402.0),
    ),
    # numbers
    "numbers before a title": (R("A. Composer", "5. Sinfonie"), R("A. Composer", "9. Sinfonie")),
    "numerals of one letter": (R("B. Composer", "Interlude I"), R("B. Composer", "Interlude V")),
    "numbers that are twice there": (
        R("C. Composer", "Sonata No. 2 in A, Op. 2 No. 2: III. Scherzo"),
        R("C. Composer", "Sonata No. 3 in C, Op. 2 No. 3: III. Scherzo"),
    ),
    "generic title with a number": (
        R("Tape Hiss", "Track 01", "First Tape", 120.0),
        R("Tape Hiss", "Track 01", "Second Tape", 310.0),
    ),
    "generic title": (
        R("Tape Noise", "Untitled", "First Tape", 120.0),
        R("Tape Noise", "Untitled", "Second Tape", 310.0),
    ),
    # words
    "the order of words": (R("Glass Bird", "Is This Love"), R("Glass Bird", "This Is Love")),
    "the order of longer words": (R("Steel Bird", "Never Say Forever"), R("Steel Bird", "Forever Say Never")),
    "feet": (R("Tall Bird", "Six Ft. Under"), R("Tall Bird", "Six")),
    "a fort": (R("Small Bird", "Leaving Ft. Worth"), R("Small Bird", "Leaving")),
    "a name with feat": (R("Little Feat & Friends", "Old Train"), R("Little", "Old Train")),
    "bands with the same last words": (
        R("Barlow & the Almanacs", "Seven Long Highways", "Amber", 190.0),
        R("Crumley & the Almanacs", "Seven Long Highways", "Jagged", 190.0),
    ),
    "an artist within a title": (R("Alma", "Rain - I Need You, Alma"), R("Alma", "Rain")),
    "artists of signs": (R("!!!", "Quick Morning"), R("???", "Quick Morning")),
    "titles of signs": (R("Ed Coast", "÷"), R("Ed Coast", "×")),
    "a lost title of another track": (
        R("Hollow Canes", "unk", "Cane Songs", HERE, 4),
        R("Hollow Canes", "Under the Floor", "Cane Songs", FAR, 5),
    ),
}


@pytest.fixture(scope="module")
def groups(table: Callable[..., DataFrame]) -> dict[str, str]:
    """The group of each record, found in one corpus of all of them."""
    rows: list[dict[str, Any]] = [
        {"song_id": f"{name}/{side}", **record._asdict()}
        for pairs in (ONE_SONG, TWO_SONGS)
        for name, pair in pairs.items()
        for side, record in enumerate(pair)
    ]
    songs = table(FILTERED, *rows)
    settings = load_settings(ROOT / "conf" / "base.yaml").dedupe
    merged = merge_groups(songs, iterate_duplicates(songs, settings), settings)
    return {row["record_id"]: row["song_id"] for row in merged.song_records.collect()}


@pytest.mark.parametrize("name", ONE_SONG)
def test_one_song(groups: dict[str, str], name: str) -> None:
    assert groups[f"{name}/0"] == groups[f"{name}/1"]


@pytest.mark.parametrize("name", TWO_SONGS)
def test_two_songs(groups: dict[str, str], name: str) -> None:
    assert groups[f"{name}/0"] != groups[f"{name}/1"]


def test_no_record_is_merged_into_that_of_another_case(groups: dict[str, str]) -> None:
    cases = {(record.split("/")[0], song.split("/")[0]) for record, song in groups.items()}
    assert {(case, found) for case, found in cases if case != found} == set()


@pytest.mark.parametrize(
    ("most_artists", "album", "key"), [(3, "", "ironkettle"), (4, "other songs", "ironkettleothersongs")]
)
def test_an_album_of_many_artists_is_not_evidence(
    table: Callable[..., DataFrame],
    make_settings: Callable[..., Settings],
    most_artists: int,
    album: str,
    key: str,
) -> None:
    songs = table(
        FILTERED,
        *({"song_id": name, "artist": f"{name} Shore", "album": "Other Songs"} for name in "abcd"),
        {"song_id": "e", "artist": "Eve Coast", "title": "Iron Kettle - Other Songs"},
        title="Slow Ferry",
    )
    names = iterate_names(songs, make_settings(f"dedupe.max_album_songs={most_artists}").dedupe).collect()
    assert {row.album for row in names if row.song_id != "e"} == {album}
    assert {row.key for row in names if row.song_id == "e"} == {key}
