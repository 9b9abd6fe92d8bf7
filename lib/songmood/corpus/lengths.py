"""Lengths of songs in seconds, from texts in any unit.

'3m 59sec' and '4:02' name their units. A plain number does not: 239 are seconds, 239000 are milliseconds and
3.982 are minutes. The other values of the column tell: a column has few units, and songs are about as long
as one another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import exp, log
from typing import NamedTuple

from pyspark.sql import Column
from pyspark.sql import functions as F

from songmood.corpus.values import filled

SPELLED, INTEGER, DECIMAL = "spelled", "integer", "decimal"  # the shapes of lengths

_NUMBER = r"(\d{1,9}(?:\.\d*)?)"
_CLOCK = r"^(?:(\d{1,3}):)?(\d{1,4}):(\d\d(?:\.\d*)?)$"  # 1:58, 1:02:03.5
_WORDS = (  # 1m58sec, 1min58, 118s, 3.65min, 1h2m, pt1m58s, 1'58"
    rf"^(?=.*[hms'’′\"”″])(?:pt)?(?:{_NUMBER}h(?:(?:ou)?rs?)?)?"
    rf"(?:{_NUMBER}(?:m(?:in(?:ute)?s?)?(?!s)|['’′](?!['’′]))\.?-?)?"
    rf"(?:{_NUMBER}(?:s(?:ec(?:ond)?s?)?|''|[\"”″])?\.?)?$"
)
_MILLISECONDS = rf"^{_NUMBER}(?:ms(?:ecs?)?|milliseconds?)$"
_LIKE_CLOCK = r"^\d+\.[0-5]\d$"  # 3.59 may be three minutes and 59 seconds

_USUAL_S = 240.0  # the length of a song in a column that does not tell
_LEAST_MS, _MOST_S = 1000.0, 10_000.0  # a number from one of these on may be, or is, in milliseconds
_MOST_MINUTES = 120.0
_ROUNDS = 4
_BINS = 4  # for each factor e of lengths
_FEWEST_LIKE_CLOCK = 10
# The number of values that the usual unit of a shape counts for: minutes, seconds, milliseconds.
_PRIOR = {INTEGER: (0.5, 100.0, 3.0), DECIMAL: (1.0, 1.0, 0.1)}


class LengthUnits(NamedTuple):
    """The units of the plain numbers of a column.

    A whole number below `integer_minutes` is in minutes, and from `integer_ms` on in milliseconds; the same
    for a number with a point. With `decimal_clock`, 3.59 is three minutes and 59 seconds.
    """

    integer_minutes: float = 0.0
    integer_ms: float = _MOST_S
    decimal_minutes: float = 20.0
    decimal_ms: float = _MOST_S
    decimal_clock: bool = False


def length_shape(name: str) -> Column:
    """A struct that tells of a length what matters for other lengths; null if it is not a length.

    Its fields are shape, bin (of the logarithm of the number, or of the seconds if it names its units) and
    like_clock.
    """
    text = _bare(name)
    number, seconds = text.cast("double"), _spelled_seconds(text)
    is_number = text.rlike(r"^\d{1,12}(?:\.\d*)?$") & (number > 0)
    shape = F.when(is_number, F.when(text.contains("."), DECIMAL).otherwise(INTEGER)).when(
        seconds > 0, SPELLED
    )
    return F.when(
        shape.isNotNull(),
        F.struct(
            shape.alias("shape"),
            F.round(_BINS * F.log(F.when(is_number, number).otherwise(seconds))).cast("int").alias("bin"),
            text.rlike(_LIKE_CLOCK).alias("like_clock"),
        ),
    )


def units_of_column(lengths: Iterable[tuple[str, int, bool, int]]) -> LengthUnits:
    """The units of a column, from the shape, bin and like_clock of its lengths, and their number."""
    counts: dict[str, Counter[int]] = {SPELLED: Counter(), INTEGER: Counter(), DECIMAL: Counter()}
    clocks: Counter[bool] = Counter()
    for shape, place, like_clock, count in lengths:
        counts[shape][place] += count
        if shape == DECIMAL:
            clocks[like_clock] += count
    spelled = counts[SPELLED]
    total = sum(place * count for place, count in spelled.items()) / _BINS
    usual = exp((total + log(_USUAL_S)) / (spelled.total() + 1))
    return LengthUnits(
        *_bounds(counts[INTEGER], usual, _PRIOR[INTEGER]),
        *_bounds(counts[DECIMAL], usual, _PRIOR[DECIMAL]),
        clocks[True] >= _FEWEST_LIKE_CLOCK and not clocks[False],
    )


def _bounds(
    numbers: Mapping[int, int], usual: float, prior: tuple[float, float, float]
) -> tuple[float, float]:
    """Below which number a length is in minutes, and from which on in milliseconds.

    Of two units the one counts whose reading is nearer to the usual length, by the logarithm; a long reading
    counts as twice as far, because there are more short songs than long ones. The more numbers of the column
    have a unit, the farther it reaches.
    """
    below, above = usual * 60 ** (1 / 3 - 1), usual * 1000 ** (1 / 3)
    for _ in range(_ROUNDS):
        minutes, seconds, milliseconds = prior
        for place, count in numbers.items():
            number = exp(place / _BINS)
            if number < below:
                minutes += count
            elif number < above:
                seconds += count
            else:
                milliseconds += count
        # with 60 times as many seconds, even four minutes are not minutes
        reach = (60 * minutes / seconds) ** (1 / 3) if 60 * minutes > seconds else 0.0
        below = min(_MOST_MINUTES, usual / 60 * reach)
        above = min(_MOST_S, max(_LEAST_MS, usual * (1000 * seconds / milliseconds) ** (1 / 3)))
    return below, above


def read_seconds(name: str, units: Column) -> Column:
    """A length in seconds, above 0. `units` is a struct of LengthUnits for the column that the text is in.

    It may be given with its units ('118 sec', '1:58', '1m 58sec', 'PT1M58S') or as a plain number.
    """
    text = _bare(name)
    number = F.when(text.rlike(r"^\d{1,12}(?:\.\d*)?$"), text.cast("double"))
    is_decimal = text.contains(".")
    minutes = F.when(is_decimal, units["decimal_minutes"]).otherwise(units["integer_minutes"])
    milliseconds = F.when(is_decimal, units["decimal_ms"]).otherwise(units["integer_ms"])
    in_minutes = F.when(
        is_decimal & units["decimal_clock"] & text.rlike(_LIKE_CLOCK),
        60 * F.floor(number) + F.round(100 * (number - F.floor(number))),
    ).otherwise(60 * number)
    plain = F.when(number < minutes, in_minutes).when(number >= milliseconds, number / 1000).otherwise(number)
    seconds = F.coalesce(plain, _spelled_seconds(text))
    return F.when(seconds > 0, seconds)


def _bare(name: str) -> Column:
    """A length without spaces, in lower case, with a point before decimals and no sign before thousands."""
    text = F.lower(F.regexp_replace(name, r"[\s\u00a0]|^\d+\s*days?,?", ""))
    text = F.regexp_replace(text, r"^(\d{2,3}),(\d{3})$", "$1$2")
    return F.regexp_replace(text, r"^(\d+),(\d{1,3})$", "$1.$2")


def _spelled_seconds(text: Column) -> Column:
    """The seconds of a text that names its units."""

    def seconds(pattern: str) -> Column:
        parts = (filled(F.regexp_extract(text, pattern, group)).cast("double") for group in (1, 2, 3))
        hours, minutes, rest = (F.coalesce(part, F.lit(0.0)) for part in parts)
        return F.when(text.rlike(pattern), 3600 * hours + 60 * minutes + rest)

    milliseconds = filled(F.regexp_extract(text, _MILLISECONDS, 1)).cast("double") / 1000
    return F.coalesce(seconds(_CLOCK), milliseconds, seconds(_WORDS))
