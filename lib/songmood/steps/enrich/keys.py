"""Keys of services: from the environment, or from a file that only its owner can read.

They are never in settings, the manifest, the cache, logs or messages: `hidden` takes them out of texts.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from songmood.engine.errors import UserError

FILE = "SONGMOOD_KEYS"  # names the file; NAME=value lines
NAMES = ("LASTFM_API_KEY", "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "GENIUS_ACCESS_TOKEN")


def read_keys(*names: str) -> list[str]:
    """The keys of these names. Raises UserError, naming what is missing."""
    given = {**_from_file(), **{name: value for name, value in os.environ.items() if value}}
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise UserError(
            f"no {' and no '.join(missing)}: set it in the environment, "
            f"or in a file (mode 0600) that {FILE} names"
        )
    return [given[name] for name in names]


def hidden(text: str) -> str:
    """The text without any key."""
    given = {**_from_file(), **os.environ}
    for name in NAMES:
        if given.get(name):
            text = text.replace(given[name], f"<{name}>")
    return text


def _from_file() -> dict[str, str]:
    if not os.environ.get(FILE):
        return {}
    path = Path(os.environ[FILE]).expanduser()
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise UserError(f"others can read the keys in {path}: chmod 600 {path}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the keys in {path}: {error.strerror}") from None
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}
