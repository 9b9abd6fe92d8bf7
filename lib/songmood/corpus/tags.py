"""The files of a corpus' tags/: flat ones, and the JSON and pickles that WASABI publishes."""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from songmood.corpus.files import read_columns
from songmood.corpus.lines import object_id, parse_json, read_lines
from songmood.engine.errors import UserError
from songmood.engine.store import open_filesystem

COLUMNS = ("song_id", "lastfm_id", "tag", "weight")
REQUIRED = ("tag", "weight")
_ROWS = "song_id string, lastfm_id string, tag string, weight string, origin string"
# A flat row, a record of social-tags.json or one of emotion-tags.json: what it is, its fields say.
_RECORD = (
    "song_id string, lastfm_id string, tag string, weight string, "
    "socials array<struct<social_tag string, nbr_tags string>>, "
    "emotions array<struct<emotion_tag string, nbr_tags string>>"
)


class TagFiles(NamedTuple):
    """`rows` has song_id or lastfm_id, tag, weight, all strings, and `origin`: 'files' or 'wasabi'.

    Weights of one song and origin are of one kind, shares of a hundred or counts. `unread` has a row
    (file, problem) for each line of JSON that cannot be read.
    """

    rows: DataFrame
    unread: DataFrame


def read_tags(
    spark: SparkSession, files: Sequence[str], max_line_bytes: int, max_pickle_bytes: int
) -> TagFiles:
    """The tags of flat files, of WASABI's social-tags.json and emotion-tags.json, and of its pickles.

    Takes .parquet, .csv, .tsv, .json, .jsonl and .pickle (or .pkl), plain or .gz, mixed. Pickles are
    read now, on the driver. Raises UserError for a file that cannot be read and for a pickle that
    `read_pickle` refuses.
    """

    def ending(*extensions: str) -> list[str]:
        return [file for file in files if file.lower().removesuffix(".gz").endswith(extensions)]

    json_files, pickles = ending(".json", ".jsonl"), ending(".pickle", ".pkl")
    others = [file for file in files if file not in {*json_files, *pickles}]
    records = parse_json(read_lines(spark, json_files, max_line_bytes), _RECORD)
    frames = [
        read_columns(spark, others, COLUMNS, REQUIRED).withColumn("origin", F.lit("files")),
        _json_rows(records.where("problem IS NULL").select("record.*")),
        *(_pickle_rows(spark, file, max_pickle_bytes) for file in pickles),
    ]
    unread = records.where("problem IS NOT NULL").select("file", "problem")
    return TagFiles(reduce(DataFrame.unionByName, frames), unread)


def _json_rows(records: DataFrame) -> DataFrame:
    def listed(name: str, tag: str) -> Any:
        return F.transform(
            name, lambda x: F.struct(x[tag].alias("tag"), x["nbr_tags"].alias("weight"), F.lit("wasabi"))
        )

    flat = F.array(F.struct("tag", "weight", F.lit("files")))
    lists = (listed("socials", "social_tag"), listed("emotions", "emotion_tag"))
    tags = F.concat(flat, *(F.coalesce(tags, F.array()) for tags in lists))
    keyed = records.select(object_id(F.col("song_id")).alias("song_id"), "lastfm_id", F.inline(tags))
    return keyed.toDF("song_id", "lastfm_id", "tag", "weight", "origin").where("tag IS NOT NULL")


# -- pickles -----------------------------------------------------------------------------------

_CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("STRING", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_UNFOLDED = 16  # bytes of tags from a byte of pickle: real lists, whose tags are shared, have three or four


def read_pickle(file: str, max_bytes: int) -> dict[str, list[str]]:
    """The columns lastfm_id, tag and weight, from a pickle of a dict of lastfm_id to a list of (tag, weight).

    Python's Unpickler is not used: with every class refused it still reserves what memory a pickle
    names, and hashes nested tuples without end. This reads the operations that make texts, numbers,
    lists, tuples and dicts, one by one, and refuses all others, so nothing is ever called, and memory
    is a multiple of the file. What shared parts unfold to is counted on the way. Raises UserError
    for a pickle of other things, one that is cut off, larger than `max_bytes` or unfolding.
    """
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise UserError(f"cannot read {file}: {str(error).splitlines()[0]}; fetch it again") from None
    if len(data) > max_bytes:
        raise UserError(
            f"{file} has more than {max_bytes // 2**20} MB: raise enrich.max_pickle_mb, or use the .json"
        )
    try:
        return _columns(_plain_value(data), room=_UNFOLDED * len(data))
    except _Refused as refusal:
        raise UserError(f"{file} {refusal}: it was not read; use WASABI's own, or its .json") from None
    except (ValueError, IndexError, KeyError, AttributeError, TypeError):
        raise UserError(f"{file} is no pickle, or damaged or cut off: fetch it again") from None


class _Refused(Exception):
    """What is wrong with a pickle, as the end of a sentence about the file."""


def _plain_value(data: bytes) -> Any:
    """The value of a pickle of plain things. Faults of its structure are errors of any kind."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        mark = marks.pop()
        items = stack[mark:]
        del stack[mark:]
        return items

    def fill(target: Any, items: list[Any]) -> None:
        if isinstance(target, dict):
            keys = items[::2]
            if not all(isinstance(key, str) for key in keys):  # hashing any other may have no end
                raise _Refused("has keys that are no texts")
            target.update(zip(keys, items[1::2], strict=True))
        else:
            target.extend(items)

    argument: Any
    for operation, argument, _ in pickletools.genops(data):
        name = operation.name
        if name in _CONSTANTS:
            stack.append(_text(argument, name))
        elif name in _GETS:
            stack.append(memo[argument])
        elif name == "MEMOIZE" or name in _PUTS:
            memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in _TUPLES:
            size = _TUPLES[name]
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "MARK":
            marks.append(len(stack))
        elif name in ("APPENDS", "SETITEMS"):
            items = since_mark()
            fill(stack[-1], items)
        elif name == "APPEND":
            item = stack.pop()
            fill(stack[-1], [item])
        elif name == "SETITEM":
            pair = stack[-2:]
            del stack[-2:]
            fill(stack[-1], pair)
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in ("TUPLE", "LIST"):
            stack.append(tuple(since_mark()) if name == "TUPLE" else since_mark())
        elif name == "DICT":
            items = since_mark()
            stack.append({})
            fill(stack[-1], items)
        elif name == "NONE":
            stack.append(None)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise _Refused(f"holds more than texts, numbers and lists (operation {name})")
    return stack.pop()


def _text(value: Any, operation: str) -> Any:
    """A constant; bytes, and the texts of Python 2, as text."""
    if operation.endswith("STRING"):
        value = value.encode("latin-1")
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _columns(value: Any, room: int) -> dict[str, list[str]]:
    """A dict of lists of pairs as columns, with texts of `room` characters in all at most."""
    if not isinstance(value, dict):
        raise _Refused("is no dict of lastfm_id to tags")
    columns: dict[str, list[str]] = {"lastfm_id": [], "tag": [], "weight": []}
    for lastfm_id, tags in value.items():
        if not isinstance(tags, (list, tuple)):
            raise _Refused("has a song whose tags are no list")
        for pair in tags:
            match pair:
                case (str(tag), str() | int() | float() | None as weight):
                    pass
                case _:
                    raise _Refused("has a tag that is no (tag, weight)")
            if isinstance(weight, int):  # a number of a million digits takes hours to write
                weight = max(-1, min(weight, 10**15))
            row = (lastfm_id, tag, sys.intern(str(weight)))  # interned: weights are few, rows many
            room -= sum(map(len, row))
            if room < 0:
                raise _Refused("unfolds to far more than the file holds")
            for column, text in zip(columns.values(), row, strict=True):
                column.append(text)
    return columns


def _pickle_rows(spark: SparkSession, file: str, max_bytes: int) -> DataFrame:
    rows = pd.DataFrame(read_pickle(file, max_bytes), dtype=object).assign(song_id=None, origin="wasabi")
    return spark.createDataFrame(rows[["song_id", "lastfm_id", "tag", "weight", "origin"]], _ROWS)
