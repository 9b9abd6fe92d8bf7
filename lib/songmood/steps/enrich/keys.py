"""Keys of services: from the environment, or from a file that only its owner can read.

They are never in settings, the manifest, the cache, logs or messages: `hide` takes them out of texts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from songmood.engine.errors import UserError

FILE = "SONGMOOD_KEYS"  # names the file; it has lines NAME=value


def read_keys(*names: str) -> list[str]:
    """The keys of these names. Raises UserError that names the missing keys."""
    keys = {**_from_file(), **{name: value for name, value in os.environ.items() if value}}
    missing = [name for name in names if not keys.get(name)]
    if missing:
        raise UserError(
            f"no {' and no '.join(missing)}: set it in the environment, "
            f"or in a file (mode 0600) that {FILE} names"
        )
    return [keys[name] for name in names]


def hide(text: str, names: Iterable[str]) -> str:
    """The text with the name of a key in place of each key of these names."""
    keys = {**_from_file(), **os.environ}
    for name in names:
        if keys.get(name):
            text = text.replace(keys[name], f"<{name}>")
    return text


def _from_file() -> dict[str, str]:
    if not os.environ.get(FILE):
        return {}
    path = Path(os.environ[FILE]).expanduser()
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise UserError(f"others can read the keys in {path}: run chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the keys in {path}: {error.strerror}") from None
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}
