from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings

from songmood.names.words import LOST
from songmood.steps.dedupe.block import Place, block_record
from songmood.steps.dedupe.parse import (
    Name,
    album_name,
    album_version,
    names_beside_album,
    parse_name,
    possible_albums,
    possible_artists,
    sound,
)
from test_names import TEXT

NAMELESS = {"unknown", "various artists"}


def parsed(artist: str | None, title: str | None) -> Name:
    return parse_name(artist, title, NAMELESS)


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("Dee Moss", "Harbour Lights"),
        ("DEE MOSS", "harbour  lights!"),
        ("Moss & Reed", "Dee Moss:Harbour Lights"),
        ("Dee Moss", "Dee Moss - Harbour Lights"),
        ("", "Dee Moss - Harbour Lights"),
        ("[unknown]", "Dee Moss - Harbour Lights (Remastered)"),
        (None, "Dee Moss:Dee Moss:Harbour Lights"),
        ("Dee Moss", "Harbour Lights / Dee Moss"),
        ("Dee Moss", "Harbour Lights (Dee Moss)"),
        ("Dee Moss", "Dee Moss: Harbour Lights"),
        ("Dee Moss", "Harbour Lights by Dee Moss"),
        ("Dee Moss", "Deee Mos - Harbour Lights"),
        ("Dee Moss feat. Bo Reed", "Harbour Lights"),
        ("Dee Moss", "Harbour Lights (feat. Bo Reed) - 2011 Remaster"),
        ("Dee Moss", "Harbour Lights - 2011 Remsater"),
        ("Dee Moss", "Harbour Lights - Remasterisé en 2016"),
        ("Dee Moss", "Harbour Lights (1999)"),
        ("Dee Moss", "Harbour Lights (Official Video)"),
        ("Dee Moss", "Harbour Lights (Lyrics)"),
        ("Dee Moss", "007-Harbour Lights"),
        ("Dee Moss", "07. Harbour Lights"),
        ("Dee Moss", "A3 - Harbour Lights"),
        ("Dee Moss", "Track 07 - Harbour Lights"),
        ("Dee Moss", "The Harbour Lights"),
    ],
)
def test_ways_to_write_one_song(artist: str | None, title: str) -> None:
    name = parsed(artist, title)
    assert (name.artist, name.key, name.version, name.numbers) == ("dee moss", "harbourlights", "", "")


@pytest.mark.parametrize(
    ("artist", "title", "key"),
    [
        ("Dee Moss", "Dee Moss - From Here To The Harbour", "fromheretotheharbour"),
        (None, "Dee Moss - From Here To The Harbour", "fromheretotheharbour"),
        ("Dee Moss", "Harbour Lights - From The Film", "harbourlights"),
        (None, "Dee Moss - Harbour Lights - From The Film", "harbourlights"),
        ("Dee Moss", "Dee Moss - Harbour Lights - From The Film", "harbourlights"),
    ],
)
def test_a_title_may_begin_with_from(artist: str | None, title: str, key: str) -> None:
    name = parsed(artist, title)
    assert (name.artist, name.key) == ("dee moss", key)


@pytest.mark.parametrize(
    ("title", "key", "version", "detail"),
    [
        ("River (Live)", "river", "live", ""),
        ("River - Live at the Hall", "river", "live", "at the hall"),
        ("River [Live] - 2011 Remaster", "river", "live", ""),
        ("River (Club Remix)", "river", "club remix", ""),
        ("River - Bo Reed Remix", "river", "remix", "bo reed"),
        ("River (Acoustic Version)", "river", "acoustic version", ""),
        ("River - Take 2", "river", "demo", "2"),
        ("River (Karaoke Version)", "river", "karaoke version", ""),
        ("River (Radio Edit)", "river", "", ""),
        ("Live and Let Die", "liveandletdie", "", ""),
        ("River - Live and Learn", "riverliveandlearn", "", ""),
        ("Take Me Home", "takemehome", "", ""),
        ("Long Live", "longlive", "", ""),
        ("(Live)", "live", "", ""),
    ],
)
def test_versions(title: str, key: str, version: str, detail: str) -> None:
    name = parsed("Dee Moss", title)
    assert (name.key, name.version, name.detail) == (key, version, detail)


@pytest.mark.parametrize(
    ("title", "pairs"),
    [
        ("River - Sea Songs", [("river", "sea songs")]),
        ("River (Sea Songs)", [("river", "sea songs")]),
        ("River---Sea-Songs", [("river", "sea songs")]),
        ("River: II - Sea Songs (1999)", [("river", "ii sea songs"), ("river ii", "sea songs")]),
        ("River - Live", []),
        ("River", []),
        (None, []),
    ],
)
def test_what_may_be_an_album(title: str | None, pairs: list[tuple[str, str]]) -> None:
    assert possible_albums(title) == pairs


@pytest.mark.parametrize(
    ("album", "name", "version"),
    [
        ("Sea Songs (1996)", "sea songs", ""),
        ("Sea Songs (unknown)", "sea songs", ""),
        ("Live at the Old Mill", "live at the old mill", "live"),
        ("Unplugged in Oslo", "unplugged in oslo", "live"),
        ("Live", "live", "live"),
        ("Long Live the Sea", "long live the sea", ""),
        ("Live and Learn", "live and learn", ""),
        ("unk.", "", ""),
        (None, "", ""),
    ],
)
def test_albums(album: str | None, name: str, version: str) -> None:
    assert album_name(album) == name
    assert album_version(name) == version


@pytest.mark.parametrize(
    ("title", "numbers"),
    [
        ("007-1942", "1942"),
        ("River, Pt. 2", "2"),
        ("River (Part II)", "2"),
        ("River - Part Two", "2"),
        ("Symphony No. 5: II. Andante", "2 5"),
        ("1,000 Hours", "1000"),
        ("21 Guns", "21"),
        ("I Want You", ""),
        ("The 2nd River", "2"),
        ("Bo3552 Player", ""),
        ("River XIII", "13"),
        ("River (Part XXIV)", "24"),
        ("Part XVIII: River", "18"),
        ("Dim Mix CD", ""),
    ],
)
def test_numbers(title: str, numbers: str) -> None:
    assert parsed("Dee Moss", title).numbers == numbers


def test_who_is_named() -> None:
    name = parsed("Bo Reed", "Dee Moss & Bo Reed:Harbour Lights (feat. Cy Long)")
    assert name.artist == "dee moss and bo reed"
    assert {"bo reed", "dee moss and bo reed", "cy long"} == {*name.people.split("|")}
    assert {"dee moss", "bo reed", "cy long"} < {*name.credits.split("|")}


@pytest.mark.parametrize(
    ("artist", "title"),
    [
        ("Dee Moss", "Harbour Lights (Sea Songs)"),
        ("Dee Moss", "Dee Moss - Sea Songs - Harbour Lights"),
        ("", "Dee Moss - Sea Songs - Harbour Lights"),
        ("Dee Moss", "Harbour Lights - Sea Songs"),
    ],
)
def test_the_album_in_the_title(artist: str, title: str) -> None:
    name = parse_name(artist, title, NAMELESS, ["sea songs"])
    assert (name.artist, name.key) == ("dee moss", "harbourlights")


@pytest.mark.parametrize("title", ["Sea Songs", "Dee Moss - Sea Songs", "Sea Songs (Sea Songs)"])
@pytest.mark.parametrize("artist", ["Dee Moss", ""])
def test_the_title_of_an_album(artist: str, title: str) -> None:
    assert parse_name(artist, title, NAMELESS, ["sea songs"]).key == "seasongs"


def test_self_titled() -> None:
    assert parsed("Night Ferry", "Night Ferry - Night Ferry").key == "nightferry"
    assert parsed("Night Ferry", "Night Ferry").key == "nightferry"
    name = parsed("Night Ferry", "Night Ferry - Live")
    assert (name.key, name.version) == ("nightferry", "live")


def test_a_subtitle_may_be_left_out() -> None:
    assert parsed("Dee Moss", "H.L. (Harbour Lights)").core == "hl"
    assert parsed("Dee Moss", "Harbour Lights").core == ""


def test_fields_mixed_are_the_same_words() -> None:
    bags = {
        parsed("Dee Moss", "Harbour Lights").bag,
        parsed("Harbour Lights", "Dee Moss").bag,
        parsed("", "Harbour Lights / Dee Moss").bag,
    }
    swapped = parsed("Harbour Lights (Remix)", "Dee Moss").bag
    assert swapped == parsed("Dee Moss", "Harbour Lights (Remix)").bag
    assert bags == {"dee harbour lights moss"}


@pytest.mark.parametrize(
    ("original", "transliterated"),
    [("Чайковский", "Tchaikovsky"), ("Кино", "Kino"), ("Жасмин", "Jasmin"), ("Philip", "Filip")],
)
def test_transliterations_sound_alike(original: str, transliterated: str) -> None:
    left, right = (sound(parsed("x", text).key) for text in (original, transliterated))
    assert left[:3] == right[:3]


def test_titles_in_another_alphabet_differ() -> None:
    assert parsed("", "君が好き").key != parsed("", "東京").key != ""


@pytest.mark.parametrize(
    ("title", "possible"),
    [
        ("Dee Moss - Harbour Lights", ["dee moss", "harbour lights"]),
        ("Harbour Lights / Dee Moss", ["harbour lights", "dee moss"]),
        ("Dee Moss:Harbour Lights", ["dee moss", "harbour lights"]),
        ("Harbour Lights", []),
        ("3:16", []),
        (None, []),
    ],
)
def test_parts_that_may_be_an_artist(title: str | None, possible: list[str]) -> None:
    assert possible_artists(title) == possible


def test_nothing_is_empty() -> None:
    for artist, title in ((None, None), ("", ""), ("[unknown]", "unk"), ("Various Artists", " - ")):
        assert set(parsed(artist, title)) == {""}


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT, TEXT)
@example("", "- - -", "")
@example("a", "a - a / a:a", "a")
@example("a", "River XIII", "Vol. XIII")
def test_any_text_is_parsed_to_plain_text(artist: str, title: str, album: str) -> None:
    assert all(map(str.isascii, possible_artists(title)))
    beside_an_album = parse_name(artist, title, NAMELESS, [album_name(album)], 7)
    name = parse_name(artist, title)
    for field in (*name, *beside_an_album):
        assert field.isascii()
        assert field == " ".join(field.split())
    for place in (Place(album_name(album), 7, 1999, 200), Place("", math.nan, math.nan, math.nan)):
        assert all(order.isascii() for _, _, order in block_record(name, place, (artist,)))
    assert all(before and after for before, after in possible_albums(title))
    assert "" not in names_beside_album(artist, title)
    assert isinstance(album_version(album_name(album)), str)
    assert bool(name.title) == bool(name.key)
    # a title with letters is never lost
    if title.isascii() and title.isalpha() and title.lower() not in LOST:
        assert name.key
