"""Numbers, years, lengths and languages, from the strings in which people write them."""

from __future__ import annotations

import json
from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from songmood.corpus.lines import filled
from songmood.names.words import LANGUAGE_CODES

NO_LANGUAGE = ("zxx", "mul", "mis", "und", "unknown", "none")  # without words, in several languages, unknown

_YEAR = r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)"
_SHORT_YEAR = r"^'?(\d\d)$"
_THIS_CENTURY = 30  # '29 is 2029, and '30 is 1930
_CLOCK = r"^(?:(\d+):)?(\d+):(\d\d)$"  # 1:02:03 or 1:58
_MINUTES = r"^()(\d+)\s*m(?:in(?:ute)?s?)?\.?\s*(?:(\d+)\s*s?(?:ec(?:ond)?s?)?\.?)?$"  # 1m 58sec
_SECONDS = r"^(\d+(?:\.\d*)?)\s*s(?:ec(?:ond)?s?)?\.?$"  # 118 sec
_LONGEST_S = 10_000  # a greater length is in milliseconds, because no song is as long
_LONGEST_MIN = 20  # a smaller length with a fraction, such as 3.65, is in minutes
_TRACK_NUMBER = r"^0*(\d{1,3})(?:\.0*)?(?:\s*(?:/|of)\s*\d+)?$"
_SPOTIFY_ID = r"(?:^|[^0-9A-Za-z])([0-9A-Za-z]{22})(?:\?.*)?$"  # alone, or at the end of an address


def read_number(name: str) -> Column:
    """A number; null for any other text."""
    pattern = r"^([+-]?\d{1,15}(?:\.\d*)?(?:[eE][+-]?\d\d?)?)$"
    return filled(F.regexp_extract(name, pattern, 1)).cast("double")


def read_track_number(*names: str) -> Column:
    """The position of a song on its album, from the first of some columns that has one.

    It may be given as '6', '006', '6.0' or '6/12'. It is null for 0, for a number above 999, and for any
    other text, such as 'A3'. A column `position` counts from 0, as WASABI's does.
    """
    numbers = (
        filled(F.regexp_extract(F.trim(name), _TRACK_NUMBER, 1)).cast("int")
        + (1 if name == "position" else 0)
        for name in names
    )
    return F.coalesce(*(F.when(number > 0, number) for number in numbers))


def read_spotify_id(name: str) -> Column:
    """A Spotify id, given alone or at the end of an address."""
    return filled(F.regexp_extract(name, _SPOTIFY_ID, 1))


def read_year(name: str) -> Column:
    """The year of a text such as '1975', '1975-03-21', "'75" and '75'."""
    short = filled(F.regexp_extract(name, _SHORT_YEAR, 1)).cast("int")
    century = F.when(short < _THIS_CENTURY, 2000).otherwise(1900)
    return F.coalesce(filled(F.regexp_extract(name, _YEAR, 1)).cast("int"), century + short)


def read_seconds(name: str) -> Column:
    """A length in seconds.

    It may be given in seconds ('118', '118 sec'), milliseconds or minutes ('1.97'), or as '1:58' or
    '1m 58sec'.
    """
    number = F.coalesce(read_number(name), filled(F.regexp_extract(name, _SECONDS, 1)).cast("double"))
    spelled = (_spelled_seconds(name, pattern) for pattern in (_CLOCK, _MINUTES))
    length = F.coalesce(_with(number, _in_seconds), *spelled)
    return _with(length, lambda seconds: F.when(seconds > 0, seconds))


def _in_seconds(number: Column) -> Column:
    in_minutes = (number < _LONGEST_MIN) & (number != F.floor(number))
    return F.when(number >= _LONGEST_S, number / 1000).when(in_minutes, number * 60).otherwise(number)


def _with(value: Column, use: Callable[[Column], Column]) -> Column:
    """What `use` makes of a value that it needs several times; the plan has the value's expression once."""
    return F.get(F.transform(F.array(value), use), 0)


def _spelled_seconds(name: str, pattern: str) -> Column:
    """The seconds of a text whose hours, minutes and seconds are the three groups of a pattern."""
    parts = (filled(F.regexp_extract(name, pattern, group)).cast("double") for group in (1, 2, 3))
    hours, minutes, seconds = (F.coalesce(part, F.lit(0.0)) for part in parts)
    return F.when(F.col(name).rlike(pattern), 3600 * hours + 60 * minutes + seconds)


def read_language(*names: str) -> Column:
    """The lower-case English name of a language, from the first of some columns that has one.

    It may be given by its name, its code or the beginning of its name ('Fre.'). A language that is not in
    LANGUAGE_CODES keeps its name.
    """
    # a single literal: create_map would need two for each of 300 forms
    languages = F.from_json(F.lit(json.dumps(_LANGUAGE_FORMS)), "map<string,string>")
    given = F.transform(F.array(*names), _without_region)
    read = F.transform(
        given, lambda form: F.when(~form.isin(*NO_LANGUAGE), F.coalesce(languages[form], form))
    )
    return F.get(F.array_compact(read), 0)


def _without_region(text: Column) -> Column:
    """A language as it is given, in lower case, without its region (fr-CA) and without a full stop."""
    return F.lower(F.rtrim(F.regexp_replace(F.substring_index(text, "-", 1), r"\.$", "")))


def _language_forms() -> dict[str, str]:
    """The name of each language by its name, its codes, and every beginning that no other name has."""
    names = set(LANGUAGE_CODES.values())
    beginnings = {name[:length]: name for name in names for length in range(3, len(name) + 1)}
    unique = {
        beginning: name
        for beginning, name in beginnings.items()
        if sum(another.startswith(beginning) for another in names) == 1
    }
    return unique | {name: name for name in names} | LANGUAGE_CODES


_LANGUAGE_FORMS = _language_forms()
