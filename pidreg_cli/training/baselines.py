"""Models of the raw features: ridge regression, the line any network has to clear, and a few small trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.transforms import FeatureTransform

Floats = NDArray[np.float64]

PENALTIES = np.logspace(-3, 5, 17)
TREES = {"max_iter": 80, "max_leaf_nodes": 15, "early_stopping": False, "random_state": 0}
TREE_ROWS = (
    5000  # enough to show that a modality says more than its code; a second or two for a hundred columns
)


def ridge_predictions(train: MultimodalArrays, new: MultimodalArrays) -> Floats:
    """Predictions for ``new``, shape (n_rows,): standardised features, means and indicators for missing cells.

    The penalty is chosen by leave-one-out error on the training rows; everything is fitted on these.
    """
    transforms = {
        name: FeatureTransform.fit(block, train.columns[name], "standard")
        for name, block in train.features.items()
    }

    def design(arrays: MultimodalArrays) -> Floats:
        applied = [transforms[name].apply(block) for name, block in arrays.features.items()]
        return np.concatenate(
            [part for a in applied for part in (a.values, a.indicators)], 1, dtype=np.float64
        )

    model = RidgeCV(alphas=PENALTIES).fit(design(train), train.target)
    predicted: Floats = model.predict(design(new))
    return predicted


def tree_predictions(train: MultimodalArrays, new: MultimodalArrays) -> Floats:
    """Predictions for ``new``, shape (n_rows,), of small boosted trees of at most ``TREE_ROWS`` training rows.

    Columns without a value in these rows are left out; without any column left, the mean of the target.
    """
    chosen = np.linspace(0, train.rows - 1, min(train.rows, TREE_ROWS)).astype(np.intp)

    def design(arrays: MultimodalArrays) -> NDArray[np.float32]:
        return np.hstack(list(arrays.features.values()))

    block, target = design(train)[chosen], train.required_target[chosen]
    # Bins of a column without a value cannot be found: the library fails on it.
    filled = ~np.isnan(block).all(axis=0)
    if not filled.any():
        return np.full(new.rows, target.mean())
    model = HistGradientBoostingRegressor(**TREES).fit(block[:, filled], target)
    predicted: Floats = model.predict(design(new)[:, filled])
    return predicted
