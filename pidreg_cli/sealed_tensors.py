"""Tensors in a safetensors file with a header of ours, and a digest of both: a change to any of it is noticed.

Digests find accidents and edits by hand, not somebody who computes them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import safe_open

from pidreg_cli.limited_reading import limited_json, refuse_beyond_memory, refuse_special_file

HEADER = "pidreg"
"""The one key of the file's metadata: with several their order, and with it the bytes, would be by chance."""
DIGEST = "digest"
LENGTH_BYTES = 8  # of a safetensors file: the length of the JSON that follows

Arrays = Mapping[str, NDArray[Any]]


def digest_of(content: bytes) -> str:
    """'sha256:...' of a file's content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_of_file(path: Path) -> str:
    """The same of a file of any size. Raises OSError."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def sealed(header: Mapping[str, Any], arrays: Arrays) -> dict[str, str]:
    """Metadata of a file of these arrays: ``header``, with their digest."""
    return {HEADER: json.dumps({**header, DIGEST: _digest(header, arrays)})}


def header_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header in the metadata of a file, plain values by name. Raises TypeError or ValueError without one."""
    if HEADER not in metadata:
        raise ValueError("it has lost the header that the fit wrote")
    found = limited_json(metadata[HEADER])
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        raise TypeError("its header is none")
    return found


def read_sealed(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and tensors of a file, its seal unchecked.

    Raises SafetensorError, OSError, TypeError or ValueError for a file that is none, or too large for this machine.
    """
    refuse_special_file(path)
    refuse_beyond_memory(path)
    with safe_open(path, framework="numpy") as file:
        header = header_of(file.metadata() or {})
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def check_seal(header: Mapping[str, Any], arrays: Arrays, version: str) -> None:
    """Raise ValueError where arrays or header are not what was written.

    Files of the first minor ``version`` of a format, MAJOR.0, were written without a digest.
    """
    told = header.get(DIGEST)
    if told is None and version.partition(".")[2] == "0":
        return
    rest = {key: value for key, value in header.items() if key != DIGEST}
    if told != _digest(rest, arrays):
        raise ValueError("its content is not what was written: it was changed since, or damaged")


def metadata_of(content: bytes) -> dict[str, str]:
    """Metadata of a safetensors file that was parsed without complaint; empty where it has none."""
    end = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    return dict(limited_json(content[LENGTH_BYTES:end]).get("__metadata__", {}))


def _digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(array.tobytes())
    return f"sha256:{digest.hexdigest()}"
