"""A mounted volume as the kubelet writes it: new files in a new folder, put in place by the swap of one link."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path

_numbers = itertools.count()


class Volume:
    """``folder / NAME`` is a link to ``..data/NAME``, and ``..data`` one to the folder of the last update."""

    def __init__(self, folder: Path, files: Mapping[str, bytes | str]) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.update(files)
        for name in files:
            (folder / name).symlink_to(Path("..data") / name)

    def update(self, files: Mapping[str, bytes | str]) -> None:
        """All files at once; the folder before is removed at once too."""
        stamped = self.folder / f"..2026_11_21_{next(_numbers)}"
        stamped.mkdir()
        for name, content in files.items():
            (stamped / name).write_bytes(content.encode() if isinstance(content, str) else content)
            (stamped / name).chmod(0o640)
        data, spare = self.folder / "..data", self.folder / "..data_tmp"
        before = data.resolve() if data.exists() else None
        spare.symlink_to(stamped.name)
        spare.replace(data)
        if before is not None:
            shutil.rmtree(before)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name
