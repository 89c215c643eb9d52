"""Figures drawn by matplotlib, as SVG that stands inside a page: the same bytes for the same numbers."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

from markupsafe import Markup

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 7.2
"""Inches; the page scales figures to its width."""
REFERENCE = re.compile(r"url\(#(\w+)\)")
HREF = "{http://www.w3.org/1999/xlink}href"
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": palette.MUTED,
    "axes.labelcolor": palette.INK,
    "axes.titlecolor": palette.INK,
    "text.color": palette.INK,
    "xtick.color": palette.MUTED,
    "ytick.color": palette.MUTED,
    "xtick.labelcolor": palette.INK,
    "ytick.labelcolor": palette.INK,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
}


@dataclass(frozen=True)
class Picture:
    """A figure ready for the page; its alternative text is in ``svg``."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Words:
    """What a figure is called within the page (``name``, for ids), and what is said of it in words."""

    name: str
    title: str
    description: str
    caption: str


def picture(words: Words, height: float, draw: Callable[[Figure], None]) -> Picture:
    """What ``draw`` draws on a figure of ``height`` inches.

    Names of modalities are text, never mathematics or markup. Settings of the user's matplotlib do not count.
    """
    return Picture(inlined(svg_document(words.name, height, draw), words), words.caption)


def svg_document(name: str, height: float, draw: Callable[[Figure], None], face: str = "none") -> bytes:
    """The figure as a file of its own, on a background of the colour ``face``; ids are made from ``name``."""
    with _quietly():
        _import_matplotlib()
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(cast("Any", {**STYLE, "svg.hashsalt": name}))
            figure = Figure(figsize=(WIDTH, height), layout="constrained")
            FigureCanvasSVG(figure)
            draw(figure)
            file = io.BytesIO()
            metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(file, format="svg", metadata=metadata, facecolor=face)
    return file.getvalue()


def _import_matplotlib() -> None:
    """Import it, also where MPLBACKEND names a screen that it does not know: nothing is drawn on a screen here."""
    try:
        import matplotlib as mpl
    except ValueError:
        chosen = os.environ.pop("MPLBACKEND", None)
        if chosen is None:
            raise
        # What the import left half done would fail the next one.
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        try:
            import matplotlib as mpl  # noqa: F401
        finally:
            os.environ["MPLBACKEND"] = chosen


@contextmanager
def _quietly() -> Iterator[None]:
    """Without matplotlib's remarks on its cache, and on glyphs that its fonts lack but the reader's may have."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def inlined(svg: bytes, words: Words) -> Markup:
    """A document of matplotlib's as an element of a page: named for readers of screens, ids its own."""
    # What is parsed is what matplotlib wrote, with every text in it escaped.
    root = ElementTree.fromstring(svg)  # noqa: S314
    for parent, clutter in [(root, "{*}metadata"), *((part, "{*}style") for part in root.findall("{*}defs"))]:
        for element in parent.findall(clutter):
            parent.remove(element)
    _claim_ids(root, words.name)
    for element in root.iter():
        element.tag = element.tag.partition("}")[2]
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    # What the style sheet of the figure said, which in a page would be that of the page.
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    title, description = f"{words.name}-title", f"{words.name}-desc"
    root.attrib |= {"role": "img", "aria-labelledby": title, "aria-describedby": description}
    for name, key, text in (("desc", description, words.description), ("title", title, words.title)):
        element = ElementTree.Element(name, {"id": key})
        element.text = printable(text)
        root.insert(0, element)
    # ElementTree escaped every text and attribute in it.
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _claim_ids(root: ElementTree.Element, name: str) -> None:
    """Keep the ids that are referred to, and make them the figure's own: a page holds several."""
    used = set()
    for element in root.iter():
        if HREF in element.attrib:
            target = element.attrib.pop(HREF).removeprefix("#")
            element.set("href", f"#{name}-{target}")
            used.add(target)
        for key, value in element.attrib.items():
            used.update(REFERENCE.findall(value))
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in used:
            element.set("id", f"{name}-{identifier}")
