"""The package has no way to execute what a file says, and none to reach a shell or the network by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pidreg_cli

PACKAGE = Path(pidreg_cli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = {
    *("pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal", "code", "codeop"),
    *("subprocess", "pty", "ctypes", "socket", "http", "urllib.request", "requests", "webbrowser"),
    # Readers of XML resolve entities; JUnit results and SVG figures are written, never read.
    *("xml.sax", "xml.dom", "lxml"),
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "input", "breakpoint"),
    *("os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "os.posix_spawn", "os.startfile"),
    *(
        "torch.load",
        "torch.save",
        "torch.jit.load",
        "np.load",
        "numpy.load",
        "pd.read_pickle",
        "pandas.read_pickle",
    ),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "importlib.import_module"),
}
CALLS |= {f"ElementTree.{name}" for name in ("parse", "fromstring", "XML", "iterparse")}
# Text and Markdown are no markup that HTML's escapes would suit: they have their own.
# The lazy public names of the package: a fixed table of its own modules, no name from outside.
ALLOWED = {
    ("__init__.py", "importlib.import_module"),
    ("__init__.py", "import_module"),
    # What matplotlib drew a moment ago.
    ("canvas.py", "ElementTree.fromstring"),
    ("text.py", "autoescape=False"),
    ("markdown.py", "autoescape=False"),
}


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or attribute, else ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def offences(source: str) -> Iterator[str]:
    """Imports and calls that could execute something, and arguments that let a library do so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if forbidden_import(name.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
            yield from (name for name in names if forbidden_import(name) or name in CALLS)
        elif isinstance(node, ast.Call):
            yield from offending_call(node)
        elif isinstance(node, ast.Attribute) and node.attr in ("UnsafeLoader", "FullLoader", "Loader"):
            yield f"{dotted(node)}"


def forbidden_import(name: str) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in IMPORTS)


def offending_call(node: ast.Call) -> Iterator[str]:
    name = dotted(node.func)
    if name in CALLS or name.rpartition(".")[2] == "import_module":
        yield name
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if (keyword.arg, value) in (("shell", True), ("allow_pickle", True), ("autoescape", False)):
            yield f"{keyword.arg}={value}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_can_execute_what_it_reads(path: Path) -> None:
    found = [(path.name, name) for name in offences(path.read_text(encoding="utf-8"))]
    assert [one for one in found if one not in ALLOWED] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import os\nos.system('x')",
        "eval('1')",
        "torch.load(path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "run(x, shell=True)",
        "Environment(autoescape=False)",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert list(offences(source))
