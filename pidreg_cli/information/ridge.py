"""Ridge regression from moments: unpenalised scores, penalised features, the penalty by cross-validation.

Everything works on the Gram matrix, so that folds and subsets share one pass over the rows. Instead of an
eigendecomposition per fit the Gram matrix is made tridiagonal once: solving for a penalty is then linear in
the number of features, and the degrees of freedom come from the eigenvalues of the tridiagonal matrix alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.errors import TooFewRowsError

# Penalties on standardised features (sums of squares of n each), half a decade apart.
PENALTIES = np.logspace(-4, 5, 19)
# Generalised cross-validation is not trusted beyond this share of the rows as degrees of freedom.
LARGEST_SHARE = 0.98
# Plain cross-validation of this kind chooses much too little penalty now and then, at a price. Its score is multiplied
# by 1 + c tr(A^2) / n, A the map from targets to fitted values: robust generalised cross-validation (Robinson and
# Moyeed 1989; Lukas 2006), whose parameter is 1 / (1 + c).
CAUTION = 0.4
# Keeps the equations of the unpenalised features solvable when two of them coincide; relative to n.
FREE_PENALTY = 1e-6


@dataclass(frozen=True)
class RidgeProblem:
    """Standardised normal equations: Gram (p, p), products with the targets (p, t), their squares (t,)."""

    gram: Floats
    products: Floats
    squares: Floats
    rows: float


@dataclass(frozen=True)
class RidgeFit:
    """Coefficients (p, t) of the standardised features and the penalties (p, t) they were found with."""

    coefficients: Floats
    penalties: Floats


def solve(problem: RidgeProblem, free: int) -> RidgeFit:
    """Ridge regression of every target column; the first ``free`` features are practically unpenalised.

    The free features are projected out, the others are penalised by the value of PENALTIES that minimises
    robust generalised cross-validation for each target column. Raises TooFewRowsError where no penalty leaves
    degrees of freedom.
    """
    gram, products = problem.gram, problem.products
    if problem.rows * LARGEST_SHARE <= free + 1:
        raise TooFewRowsError(f"{free} free features need more rows than {problem.rows:g}")
    if not free:
        return _penalised(gram, products, problem.squares, problem.rows, used=1)
    small = FREE_PENALTY * problem.rows
    anchor = gram[:free, :free] + small * np.eye(free)
    known = _positive_solve(anchor, small, np.hstack([gram[:free, free:], products[:free]]))
    slopes, direct = np.split(known, [gram.shape[0] - free], axis=1)
    rest = _penalised(
        gram[free:, free:] - gram[free:, :free] @ slopes,
        products[free:] - gram[free:, :free] @ direct,
        problem.squares - np.sum(products[:free] * direct, axis=0),
        problem.rows,
        used=free + 1,
    )
    return RidgeFit(
        np.vstack([direct - slopes @ rest.coefficients, rest.coefficients]),
        np.vstack([np.full_like(direct, small), rest.penalties]),
    )


def penalised_inverse(gram: Floats, penalties: Floats, vectors: Floats) -> Floats:
    """``(G + diag(penalties))^-1 v`` for each column of ``penalties`` and ``vectors``, both (p, t)."""
    columns = zip(penalties.T, vectors.T, strict=True)
    solved = [_positive_solve(gram + np.diag(own), float(own.min()), vector) for own, vector in columns]
    return np.stack(solved, axis=1)


def _positive_solve(matrix: Floats, least: float, vectors: Floats) -> Floats:
    """``M^-1 v`` of a Gram matrix with penalties of at least ``least`` on its diagonal, for a vector or columns (p, t).

    Where rounding leaves no such matrix, as of features that are nearly zero beside those of a few rows, its
    eigenvalues are those that penalties would leave: ``least`` or more.
    """
    try:
        return np.asarray(cho_solve(cho_factor(matrix), vectors))
    except np.linalg.LinAlgError:
        values, axes = np.linalg.eigh(matrix)
        weights = 1.0 / np.maximum(values, least)
        return np.asarray((axes * weights) @ (axes.T @ vectors))


def _penalised(gram: Floats, products: Floats, squares: Floats, rows: float, used: int) -> RidgeFit:
    """The penalty chosen per column; ``used`` degrees of freedom are spent already."""
    if gram.shape[0] < 2:
        return _single(gram, products)
    reflectors, diagonal, offdiagonal, scales = _tridiagonal(gram)
    rotated = _rotate(reflectors, scales, products, "T")
    found = _eigenvalues(diagonal, offdiagonal)
    eigenvalues = np.maximum(found, 0.0)
    shares = eigenvalues / (eigenvalues + PENALTIES[:, None])
    freedom = used + shares.sum(axis=1)
    caution = 1 + CAUTION * (used + np.square(shares).sum(axis=1)) / rows
    allowed = freedom <= LARGEST_SHARE * rows
    # Rounding may leave eigenvalues below zero: a penalty that hardly outweighs them solves nothing.
    allowed &= -2.0 * found.min() <= PENALTIES
    if not allowed.any():
        raise TooFewRowsError(f"{gram.shape[0]} features need more rows than {rows:g}")
    tried = PENALTIES[allowed]
    candidates = np.empty((tried.size, *rotated.shape))
    for candidate, penalty in zip(candidates, tried, strict=True):
        candidate[:] = _tridiagonal_solve(diagonal + penalty, offdiagonal, rotated)
    explained = np.einsum("kpt,pt->kt", candidates, rotated) + tried[:, None] * np.einsum(
        "kpt,kpt->kt", candidates, candidates
    )
    scores = (caution[allowed] / (rows - freedom[allowed]) ** 2)[:, None] * (squares - explained)
    # What is no number is never the best.
    scores[np.isnan(scores)] = np.inf
    best = scores.argmin(axis=0)
    chosen = np.where(np.isfinite(scores.min(axis=0)), candidates[best, :, np.arange(best.size)].T, 0.0)
    return RidgeFit(
        _rotate(reflectors, scales, chosen, "N"), np.repeat(tried[None, best], len(rotated), axis=0)
    )


def _single(gram: Floats, products: Floats) -> RidgeFit:
    # One feature has no direction to trade against another: the smallest penalty stands for least squares.
    coefficients = np.asarray(products / (gram.reshape(-1, 1) + PENALTIES[0]))
    return RidgeFit(coefficients, np.full_like(coefficients, PENALTIES[0]))


def _tridiagonal(gram: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Householder form ``G = Q T Q'``: reflectors, diagonal, off-diagonal and scales of the reflectors."""
    size, _ = lapack.dsytrd_lwork(gram.shape[0], lower=1)
    reflectors, diagonal, offdiagonal, scales, _ = lapack.dsytrd(gram, lower=1, lwork=int(size))
    return reflectors[1:, :-1], diagonal, offdiagonal, scales


def _rotate(reflectors: Floats, scales: Floats, vectors: Floats, transpose: str) -> Floats:
    """``Q'v`` ("T") or ``Q v`` ("N"); Q leaves the first coordinate alone."""
    lower = np.asfortranarray(vectors[1:])
    _, work, _ = lapack.dormqr("L", transpose, reflectors, scales, lower, -1)
    rotated, _, _ = lapack.dormqr("L", transpose, reflectors, scales, lower, int(work[0]))
    return np.vstack([vectors[:1], rotated])


def _eigenvalues(diagonal: Floats, offdiagonal: Floats) -> Floats:
    values, _ = lapack.dsterf(diagonal, offdiagonal)
    return np.asarray(values)


def _tridiagonal_solve(diagonal: Floats, offdiagonal: Floats, right: Floats) -> Floats:
    _, _, solution, _ = lapack.dptsv(diagonal, offdiagonal, right)
    return np.asarray(solution)
