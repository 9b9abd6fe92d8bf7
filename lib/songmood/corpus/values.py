"""Ids, numbers, years and languages, from the strings in which people and programs write them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pyspark.sql import Column
from pyspark.sql import functions as F

from songmood.names.words import LANGUAGE_CODES, LANGUAGES

# Texts that stand for a missing value.
NO_VALUE = (
    *("null", "nan", "none", "n/a", "n.a.", "na", "nil", "nat", "<na>", "undefined", "missing", "-", "?"),
    *("unknown", "unk", "unk."),
)
# Without words, in several languages, not known.
NO_LANGUAGE = (
    *("zxx", "mul", "mis", "und", "multiple languages", "no linguistic content", "instrumental"),
    *NO_VALUE,
)

# Names and codes of languages beside those of names.words; rum and baq are of ISO 639-2/B.
_OTHER_FORMS = {
    **{"slovenian": "slovene", "farsi": "persian", "castilian": "spanish", "filipino": "tagalog"},
    **{"cantonese": "chinese", "cmn": "chinese", "yue": "chinese", "rum": "romanian", "baq": "basque"},
    **dict.fromkeys(("bokmal", "nynorsk", "nb", "nn", "nob", "nno"), "norwegian"),
}

_SPACES = (
    " \t\n\r\x0b\x0c\x00\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_YEAR = r"(?<!\d)(1[5-9]\d\d|20[0-3]\d)(?!\d)"  # 2097 is none yet
_COMPACT_YEAR = r"^(1[5-9]\d\d|20[0-3]\d)(?:(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))?$"  # of 19750321
_SHORT_YEAR = r"^(?:['’`´]|\d{1,2}[./-]\d{1,2}[./-])?(\d\d)$"  # '75, 75, 21.3.75
_YEAR_AT_END = rf"[(\[]\s*{_YEAR}\s*[)\]]\s*$"
_THIS_CENTURY = 30  # '29 is 2029, and '30 is 1930
_DAY_S = 86_400
_TRACK_NUMBER = r"^0*(\d{1,3})(?:\.0*)?(?:\s*(?:/|of)\s*\d+)?$"

# The track's own id: an address of an album or artist ends alike, and a search for a title may.
_SPOTIFY_ID = r"(?:^|[^0-9A-Za-z%])([0-9A-Za-z]{22})/?(?:[?#].*)?$"
_NOT_A_TRACK = r"(?:album|artist|playlist|user|episode|show|search)[:/]"
_WRAPPED_ID = (  # {"$oid": "5d"}, {'$numberLong': '7'}, ObjectId("5d")
    r"""^(?:\{\s*["']\$\w+["']\s*:|(?:ObjectId|UUID|NumberLong|NumberInt)\()\s*+["']?([^"'{}()]++)["']?\s*[})]$"""
)
_WHOLE_NUMBER = r"^(-?\d+)\.0*$"
_EXPONENT = r"^\d\.\d+[eE]\+?\d{1,2}$|^\d(?:E\+?|e\+)\d{1,2}$"  # 5.7E7, but not 57e7, which may be any id
_UUID = r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_ISRC = r"^ISRC:?([A-Z]{2}[A-Z0-9]{3}[0-9]{7})$"


def filled(text: Column) -> Column:
    """A text without spaces at its ends; null if it has nothing but spaces."""
    trimmed = F.trim(text)
    return F.when(trimmed != "", trimmed)


def is_in(text: Column, texts: Iterable[str]) -> Column:
    """Whether a text is one of some texts without commas. Unlike `isin`, it needs a single literal."""
    return F.find_in_set(text, F.lit(",".join(texts))) > 0


def stripped(text: Column) -> Column:
    """A text without spaces of any kind at its ends, such as no-break spaces; null if it has nothing else."""
    last = F.substring(text, -1, 1)
    # most texts begin and end with a sign of ASCII, and comparing is faster than trimming
    is_plain = (text >= "!") & (text < "\x7f") & (last >= "!") & (last < "\x7f")
    trimmed = _trimmed(text)
    return F.when(is_plain, text).when(trimmed != "", trimmed)


def _trimmed(text: Column) -> Column:
    """A text without spaces of any kind at its ends; it may be empty.

    Unlike `stripped`, it names the text once. Spark computes an expression again wherever it is named.
    """
    return F.btrim(text, F.lit(_SPACES))


def read_id(name: str) -> Column:
    """An id as text, however a program wrote it; null for a text that says that there is none ('null', '--').

    MongoDB writes {"$oid": "5d"} and ObjectId("5d"). A program to which ids are numbers writes 5.0 or 5.0E7.
    """
    text = _trimmed(F.regexp_replace(stripped(F.col(name)), _WRAPPED_ID, "$1"))
    whole = F.regexp_extract(text, _WHOLE_NUMBER, 1)
    number = F.when(text.rlike(_EXPONENT), text.cast("decimal(38,6)"))
    digits = F.when(number == F.floor(number), number.cast("decimal(38,0)").cast("string"))
    is_id = ~is_in(F.lower(text), NO_VALUE) & text.rlike(r"[\p{L}\p{N}]")
    return F.when(is_id, F.coalesce(filled(whole), digits, text))


def read_spotify_id(name: str) -> Column:
    """The Spotify id of a track, given alone or at the end of an address."""
    text = stripped(F.col(name))
    return F.when(~text.rlike(_NOT_A_TRACK), filled(F.regexp_extract(text, _SPOTIFY_ID, 1)))


def read_uuid(name: str) -> Column:
    """A UUID, given alone or within an address; any other id as it is."""
    return F.coalesce(filled(F.regexp_extract(F.lower(name), _UUID, 1)), read_id(name))


def read_isrc(name: str) -> Column:
    """An ISRC without hyphens, of a text such as 'ISRC US-RC1-76-07839'; any other id in upper case."""
    signs = _trimmed(F.upper(F.regexp_replace(read_id(name), r"[\s-]", "")))
    isrc = F.regexp_replace(signs, _ISRC, "$1")
    return F.when(~is_in(F.lower(isrc), NO_VALUE), isrc)


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
        filled(F.regexp_extract(F.trim(name), _TRACK_NUMBER, 1)).cast("int") + int(name == "position")
        for name in names
    )
    return F.coalesce(*(F.when(number > 0, number) for number in numbers))


def read_year(name: str, *, short: Column) -> Column:
    """The year of a text such as '1975', '1975-03-21', "'75", '75' or '20 09', or of a time since 1970.

    `short` says whether the column leaves out the first zero of years such as 03.
    """
    text = F.regexp_replace(name, r"\s", "")
    time = text.cast("double")
    days = F.when(text.rlike(r"^-?\d{11,13}$"), time / (1000 * _DAY_S)).when(
        text.rlike(r"^-?\d{9,10}$"), time / _DAY_S
    )
    of_time = F.year(F.date_add(F.lit("1970-01-01").cast("date"), F.floor(days).cast("int")))
    two_digits = F.coalesce(
        filled(F.regexp_extract(text, _SHORT_YEAR, 1)), F.when(short & text.rlike(r"^\d$"), text)
    ).cast("int")
    century = F.when(two_digits < _THIS_CENTURY, 2000).otherwise(1900)
    return F.coalesce(
        filled(F.regexp_extract(name, _YEAR, 1)).cast("int"),
        filled(F.regexp_extract(text, _COMPACT_YEAR, 1)).cast("int"),
        F.when(of_time.between(1500, 2039), of_time),
        century + two_digits,
    )


def year_at_end(name: str) -> Column:
    """The year in brackets at the end of a name: 1996 of 'First Light (1996)'."""
    return filled(F.regexp_extract(name, _YEAR_AT_END, 1)).cast("int")


def read_language(*names: str) -> Column:
    """The lower-case English name of a language, from the first of some columns that has one.

    It may be given by its name, its code, a locale ('en_US.UTF-8', 'English (US)') or the beginning of its
    name ('Fre.'), and with a letter wrong. A language that is not in LANGUAGE_CODES keeps its name.
    """
    # a single literal: create_map would need two for each of 300 forms
    languages = F.from_json(F.lit(json.dumps(_LANGUAGE_FORMS)), "map<string,string>")
    given = F.transform(F.array(*names), _without_region)

    def read(form: Column) -> Column:
        is_language = ~is_in(form, NO_LANGUAGE) & ~form.rlike(r"^$|\d")
        bare = F.translate(form, "áàâãäéèêíìóòôõöúùüñç", "aaaaaeeeiiooooouuunc")
        return F.when(is_language, F.coalesce(languages[bare], _nearest_language(bare), form))

    return F.get(F.array_compact(F.transform(given, read)), 0)


def _without_region(text: Column) -> Column:
    """A language as it is given, in lower case, up to the first sign.

    The region or the alphabet follows the sign: fr-CA, pt_BR, English (US), Chinese, Mandarin.
    """
    lower = F.lower(F.regexp_replace(text, r"^[\s\[(]+", ""))
    says_none = F.when(is_in(lower, NO_LANGUAGE), lower)
    return F.coalesce(says_none, _trimmed(F.regexp_extract(lower, r"^([^-_(\[\])/,;:@.]*)", 1)))


def _nearest_language(form: Column) -> Column:
    """The one language whose name differs from a form by a letter, or by two that are swapped; else null."""
    names = F.split(F.lit(",".join(sorted({*LANGUAGE_CODES.values()}))), ",")

    def letters(text: Column) -> Column:
        return F.array_sort(F.split(text, ""))

    def is_near(name: Column) -> Column:
        distance = F.levenshtein(form, name, 2)
        return (distance == 1) | ((distance == 2) & (letters(form) == letters(name)))

    near = F.filter(names, is_near)
    return F.when(F.length(form).between(5, 12) & (F.size(near) == 1), F.get(near, 0))


def _language_forms() -> dict[str, str]:
    """The name of each language by its name, its codes, and every beginning that no other name has."""
    names = set(LANGUAGE_CODES.values())
    beginnings = {name[:length]: name for name in names for length in range(3, len(name) + 1)}
    unique = {
        beginning: name
        for beginning, name in beginnings.items()
        if sum(another.startswith(beginning) for another in names) == 1
    }
    in_titles = {word: name for name, language in LANGUAGES.items() for word in language.in_titles}
    return unique | in_titles | {name: name for name in names} | _OTHER_FORMS | LANGUAGE_CODES


_LANGUAGE_FORMS = _language_forms()
