"""Ridge regression on the raw features: the line any network has to clear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.transforms import FeatureTransform

Floats = NDArray[np.float64]

PENALTIES = np.logspace(-3, 5, 17)


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
