"""Multinomial logistic regression on numbers that say much the same, as the outputs of members do."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.int64]
_STEPS = 500


def fit_regression(rows: Rows, labels: Labels, classes: int, c: float, exactness: float = 1e-5) -> tuple[Rows, Rows]:
    """The coefficients K×F and intercepts K with the least loss.

    That is the sum of the log losses and the sum of the squares of the coefficients over 2 ``c``, as scikit-learn's
    ``LogisticRegression`` has it; the intercepts come out with the mean 0, which the loss leaves open. Members that say
    much the same make it long and narrow, and a search would take hundreds of steps along it. Here it is first brought
    to about the shape of a ball, by the root of the second derivatives at equal probabilities, and L-BFGS then takes
    some tens.

    :param rows: N×F numbers; ``labels`` N, from 0 to K - 1.
    :param exactness: how near to 0 the gradient of the mean loss is brought.
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    count, features = rows.shape
    whole = np.column_stack([rows, np.ones(count)])
    # Intercepts are not kept near 0, but for what makes the root exist.
    penalty = np.full(features + 1, 1 / (c * count))
    penalty[-1] = 0.0
    curvature = (classes - 1) / classes**2 * (whole.T @ whole) / count
    root = np.linalg.cholesky(curvature + np.diag(np.maximum(penalty, 1e-9 * np.trace(curvature))))
    to_plain = solve_triangular(root, np.eye(features + 1), lower=True).T
    ball, places = whole @ to_plain, np.arange(count)

    def loss(flat: Rows) -> tuple[float, Rows]:
        turned = flat.reshape(features + 1, classes)
        scores = ball @ turned
        scores -= scores.max(axis=1, keepdims=True)
        right = scores[places, labels].mean()
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        # From here on it is the probabilities less what they should be.
        scores /= total
        scores[places, labels] -= 1
        plain = to_plain @ turned
        pull = penalty[:, None] * plain
        value = np.log(total).mean() - right + 0.5 * (pull * plain).sum()
        return float(value), (ball.T @ scores / count + to_plain.T @ pull).ravel()

    start = np.zeros((features + 1) * classes)
    options = {"maxiter": _STEPS, "gtol": exactness, "ftol": 1e-12}
    # Threads would wait for each other, at products as small as these, for longer than they work.
    with threadpool_limits(1):
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    plain = to_plain @ found.x.reshape(features + 1, classes)
    return plain[:-1].T, plain[-1] - plain[-1].mean()
