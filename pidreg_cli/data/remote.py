"""Inputs that are addresses (``s3://bucket/table.parquet``): whatever file systems pyarrow knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias, cast

from pidreg_cli.errors import DataError

# Not for files of this machine, whose names are looked at before any library is worth its time.
if TYPE_CHECKING:
    import pyarrow.fs as pafs

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
# user:password@ of an address, which no message may repeat.
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")
# pyarrow may answer with a page of places where it looked for a library.
_SHOWN = 200


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address; ``path`` is its path within ``filesystem``."""

    address: str
    path: PurePosixPath
    filesystem: pafs.FileSystem = field(compare=False)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.name

    @property
    def suffix(self) -> str:
        """``.parquet`` of ``table.parquet``."""
        return self.path.suffix

    def __str__(self) -> str:
        return self.address


Place: TypeAlias = Path | RemoteFile


def is_address(text: str) -> bool:
    """Whether an input is a URI."""
    return _ADDRESS.match(text) is not None


def open_bytes(place: Place) -> BufferedReader:
    """The bytes of a file, seekable. Raises OSError."""
    if isinstance(place, Path):
        return place.open("rb")
    return cast("BufferedReader", place.filesystem.open_input_file(str(place.path)))


def local_path(address: str) -> Path | None:
    """The path that a ``file://`` address means, None for addresses elsewhere. Raises DataError as ``files_at``."""
    import pyarrow.fs as pafs

    filesystem, path = _resolved(address)
    return Path(path) if isinstance(filesystem, pafs.LocalFileSystem) else None


def files_at(address: str, finds: Callable[[str], bool]) -> tuple[RemoteFile, list[RemoteFile] | None]:
    """What is at an address, and of a folder the files at any depth whose names ``finds`` accepts.

    Raises DataError where pyarrow does not know the scheme, nothing is there, or the file system does not answer.
    """
    import pyarrow as pa
    import pyarrow.fs as pafs

    filesystem, path = _resolved(address)
    shown = _CREDENTIALS.sub("", address)
    try:
        info = filesystem.get_file_info(path)
        if info.type == pafs.FileType.NotFound:
            raise DataError(
                "data.missing_input",
                f"There is no file or folder '{shown}'.",
                "Check the address; patterns are for local files, of remote ones name a folder.",
            )
        root = RemoteFile(shown, PurePosixPath(path), filesystem)
        if info.is_file:
            return root, None
        found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
        return root, [_below(root, one.path) for one in found if one.is_file and finds(one.base_name)]
    except (OSError, pa.ArrowException) as cause:
        raise _unreachable(address, cause) from cause


def _below(root: RemoteFile, path: str) -> RemoteFile:
    inner = PurePosixPath(path)
    relative = inner.relative_to(root.path)
    return RemoteFile(f"{root.address.rstrip('/')}/{relative}", inner, root.filesystem)


def _resolved(address: str) -> tuple[pafs.FileSystem, str]:
    import pyarrow as pa
    import pyarrow.fs as pafs

    try:
        filesystem, path = pafs.FileSystem.from_uri(address)
    except (OSError, ImportError, ValueError, pa.ArrowException) as cause:
        raise _unreachable(address, cause) from cause
    return filesystem, path


def _unreachable(address: str, cause: Exception) -> DataError:
    reason = _CREDENTIALS.sub("", str(cause)).strip().partition("\n")[0].rstrip(".")[:_SHOWN]
    return DataError(
        "data.unreachable",
        f"'{_CREDENTIALS.sub('', address)}' cannot be opened: {reason or type(cause).__name__}.",
        "Check the address (file://, s3://, gs://, hdfs:// and others that pyarrow knows), the network and your "
        "credentials; or copy the file to this machine.",
    )
