"""Run folders as the first minor versions of their formats wrote them: without digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

FIRST = {"model.json": "3.0", "prediction.safetensors": "1.0", "evidence.safetensors": "1.0"}
Arrays = dict[str, np.ndarray]


def content_of(path: Path) -> tuple[dict[str, Any] | None, Arrays]:
    """Header, None without one, and tensors of a file."""
    with safe_open(path, framework="numpy") as file:
        header = (file.metadata() or {}).get("pidreg")
        return header and json.loads(header), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rewrite(path: Path, header: dict[str, Any] | None, arrays: Arrays) -> None:
    """Write header and tensors as they are."""
    content = save(arrays, None if header is None else {"pidreg": json.dumps(header)})
    # A new file: the old one may still be mapped into memory.
    path.unlink()
    path.write_bytes(content)


def without_digests(folder: Path) -> Path:
    """Make the run one of an earlier version; the folder."""
    edit_json(folder, _of_first_version)
    rewrite(folder / "model.safetensors", None, content_of(folder / "model.safetensors")[1])
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    for name in ("prediction.safetensors", "evidence.safetensors"):
        if (folder / name).exists():
            header, arrays = content_of(folder / name)
            assert header is not None
            del header["digest"]
            header["format_version"] = FIRST[name]
            if "weights" in header:
                header["weights"] = f"sha256:{weights}"
            rewrite(folder / name, header, arrays)
    return folder


def _of_first_version(document: dict[str, Any]) -> None:
    document["format_version"] = FIRST["model.json"]
    for network in document["networks"]:
        del network["fusion_involvement"]
        for encoder in network["encoders"]:
            del encoder["wave_layers"], encoder["unfolded"]


def edit_json(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change ``model.json`` in the folder by hand."""
    document = json.loads((folder / "model.json").read_bytes())
    edit(document)
    (folder / "model.json").write_text(json.dumps(document, indent=1))
