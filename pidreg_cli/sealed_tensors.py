"""Tensors in a safetensors file with a header of ours, and a digest of both: a change to any of it is noticed.

Digests find accidents and edits by hand, not somebody who computes them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

HEADER = "pidreg"
"""The one key of the file's metadata: with several their order, and with it the bytes, would be by chance."""
DIGEST = "digest"
LENGTH_BYTES = 8  # of a safetensors file: the length of the JSON that follows

Arrays = Mapping[str, NDArray[Any]]


def digest_of(content: bytes) -> str:
    """'sha256:...' of a file's content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def sealed(header: Mapping[str, Any], arrays: Arrays) -> dict[str, str]:
    """Metadata of a file of these arrays: ``header``, with their digest."""
    return {HEADER: json.dumps({**header, DIGEST: _digest(header, arrays)})}


def header_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header in the metadata of a file. Raises TypeError or ValueError where there is none."""
    if HEADER not in metadata:
        raise ValueError("it has lost the header that the fit wrote")
    found = json.loads(metadata[HEADER])
    if not isinstance(found, dict):
        raise TypeError("its header is none")
    return found


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
    return dict(json.loads(content[LENGTH_BYTES:end]).get("__metadata__", {}))


def _digest(header: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(array.tobytes())
    return f"sha256:{digest.hexdigest()}"
