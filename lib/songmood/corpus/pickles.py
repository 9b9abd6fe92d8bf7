"""WASABI's pickles of tags, read without running anything that is in them."""

from __future__ import annotations

import pickletools
import sys
from typing import Any

from songmood.engine.errors import UserError
from songmood.engine.store import open_filesystem

_CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("STRING", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
# The most bytes of tags for each byte of a pickle, which stores a repeated text once. Real lists have three
# or four.
_MOST_UNFOLDED = 16


def read_pickle(file: str, max_bytes: int) -> dict[str, list[str]]:
    """The columns lastfm_id, tag and weight of a pickle: a dict of lastfm_id to a list of (tag, weight).

    Python's Unpickler is not used: even if it refuses every class, it reserves as much memory as a pickle
    names, and hashes nested tuples without end. This function reads the operations that make texts,
    numbers, lists, tuples and dicts, and refuses all others. So it never calls anything, and its memory
    is a multiple of the file's size. It counts the text that repeated parts add up to. Raises UserError
    for a pickle of anything else, and for one that is cut off, is larger than `max_bytes` or holds far
    more text than bytes.
    """
    filesystem, path = open_filesystem(file)
    try:
        with filesystem.open_input_stream(path, compression="detect") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise UserError(f"cannot read {file}: {str(error).splitlines()[0]}; fetch it again") from None
    if len(data) > max_bytes:
        raise UserError(
            f"{file} has more than {max_bytes // 2**20} MB: raise enrich.max_pickle_mb, or use WASABI's .json"
        )
    try:
        return _columns(_plain_value(data), room=_MOST_UNFOLDED * len(data))
    except _Refused as refusal:
        raise UserError(f"{file} {refusal}, so it was not read: use WASABI's .pickle or .json") from None
    except (ValueError, IndexError, KeyError, AttributeError, TypeError):
        raise UserError(f"{file} is not a pickle, or is damaged or cut off: fetch it again") from None


class _Refused(Exception):
    """A pickle is refused. The message is the predicate of a sentence about the file."""


def _plain_value(data: bytes) -> Any:
    """The value of a pickle of texts, numbers and collections. A damaged one raises an error of any type."""
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
            if not all(isinstance(key, str) for key in keys):  # hashing anything else may never end
                raise _Refused("has keys that are not texts")
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
            raise _Refused(f"has more than texts, numbers and lists (operation {name})")
    return stack.pop()


def _text(value: Any, operation: str) -> Any:
    """A constant, with bytes and the texts of Python 2 as text."""
    if operation.endswith("STRING"):
        value = value.encode("latin-1")
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _columns(value: Any, room: int) -> dict[str, list[str]]:
    """A dict of lists of pairs as columns, of `room` characters at most."""
    if not isinstance(value, dict):
        raise _Refused("is not a dict of lastfm_id to tags")
    columns: dict[str, list[str]] = {"lastfm_id": [], "tag": [], "weight": []}
    for lastfm_id, tags in value.items():
        if not isinstance(tags, (list, tuple)):
            raise _Refused("has a song whose tags are not a list")
        for pair in tags:
            match pair:
                case (str(tag), str() | int() | float() | None as weight):
                    pass
                case _:
                    raise _Refused("has a tag that is not a pair (tag, weight)")
            if isinstance(weight, int):  # a number of a million digits takes hours to convert
                weight = max(-1, min(weight, 10**15))
            row = (lastfm_id, tag, sys.intern(str(weight)))  # interned, because rows share few weights
            room -= sum(map(len, row))
            if room < 0:
                raise _Refused("unfolds to far more text than the file has")
            for column, text in zip(columns.values(), row, strict=True):
                column.append(text)
    return columns
