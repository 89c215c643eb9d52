"""Whether fits recover informations that are known: synthetic systems by mixing and rows, against exact truth.

``python -m benchmarks.known_truth [--rows 20000] [--mixing mild] [--systems mixed ...] [--held-back]``

A line per fit, on its test rows and in bits: the true and the found information of every modality and of all
together, the largest error over all sets, and synergy found minus true. The rules, for the verdict:
- mild: every information within .05 bits or 5 % of the truth; medium and strong: at least 90 % of each;
- no more than .02 bits of synergy where there is none; a total below .01 bits where nothing informs.
They are meant for 20,000 rows and more; with fewer, failures are shown and do not count.
Systems of ``HELD_BACK`` chose no setting of any preset.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.fits.synthetic import (
    Floats,
    draw,
    fitted,
    found_informations,
    names_of,
    parser,
    settings_for,
    synergy,
)
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.synthetic.interactions import Curve, Product, SignProduct
from pidreg_cli.data.synthetic.mixing import DEFAULT_MIXING, STRENGTHS
from pidreg_cli.data.synthetic.systems import SYSTEMS, SyntheticSystem

CLOSE, CLOSE_SHARE = 0.05, 0.05
STRONG_SHARE = 0.9
PHANTOM, NOTHING = 0.02, 0.01
EXACT_ZERO = 1e-3  # bits: a truth below it counts as none
ENOUGH_ROWS = 20_000

HELD_BACK = {
    system.name: system
    for system in (
        SyntheticSystem(
            "step",
            "a step of a latent of a beside a latent that a and b show",
            {"a": ("u", "m"), "b": ("m", "v")},
            interaction=Curve("u", 0.8, lambda u: np.sign(u)),
            linear={"m": 0.4, "v": 0.2},
            noise=0.4,
        ),
        SyntheticSystem(
            "bowl",
            "the absolute value of a latent that a and b show, and a latent of b",
            {"a": ("m",), "b": ("m", "v")},
            interaction=Curve("m", 1.0, np.abs),
            linear={"v": 0.3},
            noise=0.35,
        ),
        SyntheticSystem(
            "within",
            "the product of two latents of a; b shows one of them and tells nothing alone",
            {"a": ("p", "q"), "b": ("q", "v")},
            interaction=Product("p", "q", 1.0),
            linear={"v": 0.3},
            noise=0.4,
        ),
        SyntheticSystem(
            "bystander",
            "three modalities, of which c tells nothing: a latent of a and b, one of b",
            {"a": ("m", "u"), "b": ("m", "v"), "c": ()},
            linear={"m": 0.7, "u": 0.3, "v": 0.5},
            noise=0.5,
        ),
        SyntheticSystem(
            "gated",
            "a sign of a turns a sign of c, beside latents of a and b under a heavy tail",
            {"a": ("p", "u"), "b": ("v", "u"), "c": ("q",)},
            interaction=SignProduct("p", "q", 0.6),
            linear={"u": 0.5, "v": 0.4},
            noise=0.4,
            tail=0.15,
        ),
    )
}


@dataclass(frozen=True)
class Outcome:
    """One fit: ``truth`` and ``found`` (2**n,) in bits by bitmask."""

    system: str
    mixing: str
    rows: int
    names: tuple[str, ...]
    truth: Floats
    found: Floats
    seconds: float

    @property
    def error(self) -> float:
        """Largest error of the information of a set."""
        return float(np.abs(self.found - self.truth).max())

    @property
    def phantom(self) -> float:
        """Synergy found minus true."""
        return synergy(self.found) - synergy(self.truth)

    def failures(self) -> list[str]:
        """Rules that do not hold."""
        return [*self._missed(), *self._invented()]

    def _missed(self) -> Iterator[str]:
        for mask in range(1, len(self.truth)):
            true, found = self.truth[mask], self.found[mask]
            allowed = max(CLOSE, CLOSE_SHARE * true)
            # A share of a hundredth of a bit is noise of the test rows: the absolute rule holds for all.
            if self.mixing != DEFAULT_MIXING:
                allowed = max((1 - STRONG_SHARE) * true, PHANTOM)
            if abs(found - true) > allowed:
                yield f"{names_of(mask, self.names)} {found - true:+.3f}"

    def _invented(self) -> Iterator[str]:
        if synergy(self.truth) < EXACT_ZERO and self.phantom >= PHANTOM:
            yield f"phantom synergy {self.phantom:.3f}"
        if self.truth[-1] < EXACT_ZERO and self.found[-1] >= NOTHING:
            yield f"{self.found[-1]:.3f} bits of nothing"

    def line(self) -> str:
        """Row of the table."""
        shown = [1 << i for i in range(len(self.names))] + [len(self.truth) - 1]
        pairs = ", ".join(
            f"{names_of(mask, self.names)} {self.truth[mask]:.3f}/{self.found[mask]:.3f}" for mask in shown
        )
        verdict = "; ".join(self.failures()) or "holds"
        cells = [self.system, self.mixing, f"{self.rows:,}", pairs, f"{self.error:.3f}"]
        return f"| {' | '.join(cells)} | {self.phantom:+.3f} | {self.seconds:.0f} | {verdict} |"


def measure(name: str, mixing: str, rows: int, settings: Settings) -> Outcome:
    """Draw, fit, compare."""
    system = HELD_BACK.get(name) or SYSTEMS[name]
    sample = draw(system, rows, settings.seed, mixing)
    fit, seconds = fitted(sample.arrays, settings)
    return Outcome(name, mixing, rows, sample.arrays.names, sample.truth, found_informations(fit), seconds)


def main() -> int:
    """Print the table; 1 where a rule fails with enough rows."""
    options = parser(__doc__, [*SYSTEMS], several_rows=True)
    options.add_argument("--mixing", nargs="+", default=[DEFAULT_MIXING], choices=list(STRENGTHS))
    options.add_argument("--held-back", action="store_true", help="the systems that chose no setting")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments")
    chosen = options.parse_args()
    names = [*HELD_BACK] if chosen.held_back else chosen.systems
    print("| system | mixing | rows | true/found | worst | synergy | s | verdict |")
    print("|---|---|---:|---|---:|---:|---:|---|", flush=True)
    failed = False
    for mixing in chosen.mixing:
        for rows in chosen.rows:
            for seed in range(chosen.seeds):
                settings = settings_for(chosen, seed, chosen.assignments)
                for name in names:
                    outcome = measure(name, mixing, rows, settings)
                    print(outcome.line(), flush=True)
                    failed |= rows >= ENOUGH_ROWS and bool(outcome.failures())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
