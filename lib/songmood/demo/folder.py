"""The folder of a demo corpus: its truth/demo.json shows that we wrote it and may replace it."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from pyarrow import fs

from songmood.engine.store import absolute, open_filesystem

DEMO_JSON = "truth/demo.json"


class DemoFolder:
    """A folder that is, or may become, a demo corpus."""

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/")
        self.uri = absolute(self.path)
        self._fs, self._root = open_filesystem(self.uri)

    def exists(self) -> bool:
        """True if there is anything at this path except an empty folder."""
        info = self._fs.get_file_info(self._root)
        if info.type == fs.FileType.Directory:
            return bool(self._fs.get_file_info(fs.FileSelector(self._root)))
        return bool(info.type != fs.FileType.NotFound)

    def read_truth(self) -> dict[str, Any] | None:
        """The content of demo.json, or None if there is none or it is not ours."""
        try:
            with self._fs.open_input_stream(f"{self._root}/{DEMO_JSON}") as stream:
                truth = json.loads(stream.read())
        except (OSError, ValueError):
            return None
        return truth if isinstance(truth, dict) and "complete" in truth else None

    def write_truth(self, truth: dict[str, Any]) -> None:
        """Replace demo.json."""
        self._fs.create_dir(f"{self._root}/truth", recursive=True)
        with self._fs.open_output_stream(f"{self._root}/{DEMO_JSON}") as stream:
            stream.write((json.dumps(truth, indent=2) + "\n").encode())

    def files(self) -> list[str]:
        """All files except demo.json, relative to the folder."""
        found = self._fs.get_file_info(fs.FileSelector(self._root, recursive=True, allow_not_found=True))
        paths = [info.path[len(self._root) + 1 :] for info in found if info.type == fs.FileType.File]
        return sorted(path for path in paths if path != DEMO_JSON)

    def delete(self) -> None:
        """Delete the folder, if it exists."""
        if self._fs.get_file_info(self._root).type != fs.FileType.NotFound:
            self._fs.delete_dir(self._root)

    def rename(self, target: DemoFolder) -> None:
        """Give the folder the path of another one."""
        self._fs.create_dir(str(PurePosixPath(target._root).parent), recursive=True)
        self._fs.move(self._root, target._root)

    def take_files(self, written: str, part: str, stem: str, ending: str) -> None:
        """Move the files that Spark wrote into the folder of a part, under names that every run gives."""
        self._fs.create_dir(f"{self._root}/{part}", recursive=True)
        found = self._fs.get_file_info(fs.FileSelector(f"{self._root}/{written}"))
        paths = sorted(info.path for info in found if info.base_name.startswith("part-"))
        for number, path in enumerate(paths):
            self._fs.move(path, f"{self._root}/{part}/{stem}-{number:03}.{ending}")
        self._fs.delete_dir(f"{self._root}/{written}")
