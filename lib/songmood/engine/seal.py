"""Whether a file or folder of the warehouse is as it was written.

A sealed file is JSON with a checksum of its own content. A sealed folder has the sealed file `_seal`, with
the size and the checksum of each of its files. Readers of Parquet pass over names that begin with `_`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyarrow import fs

from songmood.engine.errors import reason_of

# To be raised when the meaning of a sealed file changes: what older versions wrote then counts as missing.
FORMAT = 1
SEAL = "_seal"
_CHECKSUM = "sha256"


def to_sealed(content: Mapping[str, Any]) -> str:
    """The text of a sealed file with this content, which becomes JSON."""
    plain = json.loads(json.dumps(content, default=str))
    return json.dumps({**plain, _CHECKSUM: _checksum_of(plain)}, indent=2) + "\n"


def from_sealed(text: bytes) -> dict[str, Any] | None:
    """The content of a sealed file; None if it is damaged, changed, or of another version."""
    try:
        content = json.loads(text)
        checksum = content.pop(_CHECKSUM)
        return content if checksum == _checksum_of(content) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def seal_folder(filesystem: fs.FileSystem, folder: str, about: Mapping[str, Any]) -> None:
    """Write the list of a folder's files, with their sizes and checksums, and `about`."""
    sizes = _sizes(filesystem, folder)
    checksums = _checksums(filesystem, folder, list(sizes))
    files = {name: {"bytes": size, _CHECKSUM: checksums[name]} for name, size in sizes.items()}
    with filesystem.open_output_stream(f"{folder}/{SEAL}") as stream:
        stream.write(to_sealed({"about": about, "files": files}).encode())


def read_seal(filesystem: fs.FileSystem, folder: str) -> dict[str, Any] | None:
    """`about` and `files` of a folder's seal; None if the seal is missing, damaged or of another version."""
    try:
        with filesystem.open_input_stream(f"{folder}/{SEAL}", compression=None) as stream:
            return from_sealed(stream.read())
    except OSError:
        return None


def find_damage(filesystem: fs.FileSystem, folder: str, whole: bool) -> str | None:
    """The first difference between a folder and its seal; None if there is none.

    Names and sizes are compared, which takes one listing. With `whole`, all files are read and compared by
    their checksums, too.
    """
    seal = read_seal(filesystem, folder)
    if seal is None:
        return "is not complete"
    expected: dict[str, dict[str, Any]] = seal["files"]
    try:
        sizes = _sizes(filesystem, folder)
        for name, file in expected.items():
            if name not in sizes:
                return f"lacks {name}"
            if sizes[name] != file["bytes"]:
                return f"has {sizes[name]:,} bytes of {name} and not {file['bytes']:,}"
        for name in sizes.keys() - expected.keys():
            return f"has a file that does not belong to it, {name}"
        if whole:
            checksums = _checksums(filesystem, folder, list(expected))
            changed = [name for name, file in expected.items() if checksums[name] != file[_CHECKSUM]]
            return f"has another content of {changed[0]} than was written" if changed else None
    except OSError as error:
        return f"cannot be read ({reason_of(error)})"
    return None


def _sizes(filesystem: fs.FileSystem, folder: str) -> dict[str, int]:
    """The size of each file of a folder, by its path within, but for files that readers pass over."""
    found = filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
    files = {info.path[len(folder) + 1 :]: info for info in found if info.type == fs.FileType.File}
    return {name: info.size for name, info in sorted(files.items()) if not _is_passed_over(name)}


def _is_passed_over(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _checksums(filesystem: fs.FileSystem, folder: str, names: list[str]) -> dict[str, str]:
    def checksum(name: str) -> str:
        digest = hashlib.sha256()
        with filesystem.open_input_stream(f"{folder}/{name}", compression=None) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    with ThreadPoolExecutor(8) as pool:  # reading and hashing leave Python's lock to the other threads
        return dict(zip(names, pool.map(checksum, names), strict=True))


def _checksum_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([FORMAT, content], sort_keys=True).encode()).hexdigest()
