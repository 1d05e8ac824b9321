"""How rare something is: tails of distributions, whole columns at a time, elementwise only.

Elementwise, so that a value does not depend on what stands beside it in the column.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CAP = 4.0
"""The most that one piece of evidence can say: a chance of one in ten thousand."""


def excess(observed: ArrayLike, expected: ArrayLike, shape: float) -> Floats:
    """Return how many standard deviations a count lies above what was expected.

    The signed root of the deviance of a negative binomial with this shape parameter: near
    (n - µ)/√µ for small counts, near √(shape)·ln(n/µ) for large ones; 0 where the count is
    not above.
    """
    n, mu = np.broadcast_arrays(np.asarray(observed, np.float64), np.asarray(expected, np.float64))
    found = np.zeros(n.shape)
    # Where the count is not above, the deviance is exactly nothing.
    above = n > mu
    n, mu = n[above], mu[above]
    deviance = n * np.log(n / mu) - (n + shape) * np.log((n + shape) / (mu + shape))
    found[above] = np.sqrt(np.maximum(2.0 * deviance, 0.0))
    return found


def poisson(observed: ArrayLike, expected: ArrayLike) -> Floats:
    """Return -log10 of Chernoff's bound on a Poisson count being this large; 0 where not above."""
    n = np.asarray(observed, np.float64)
    mu = np.asarray(expected, np.float64)
    grown = np.maximum(n, mu)
    return np.asarray((grown * np.log(grown / mu) - grown + mu) / np.log(10.0))


def normal(z: ArrayLike) -> Floats:
    """Return -log10 P(Z > z) of a standard normal for z ≥ 0.

    Abramowitz and Stegun 26.2.17 (error below 1e-7) in the form that keeps its relative
    precision in the tail: the polynomial times the density.
    """
    x = np.maximum(np.asarray(z, np.float64), 0.0)
    t = 1.0 / (1.0 + 0.2316419 * x)
    polynomial = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    log_density = -0.5 * x * x - 0.5 * np.log(2.0 * np.pi)
    return np.asarray(-(log_density + np.log(polynomial)) / np.log(10.0))


def student(t: ArrayLike, freedom: ArrayLike) -> Floats:
    """Return -log10 P(T > t) of Student's t for t ≥ 0, after Wallace (1959)."""
    x = np.maximum(np.asarray(t, np.float64), 0.0)
    nu = np.asarray(freedom, np.float64)
    z = np.sqrt(nu * np.log1p(x * x / nu)) * (8.0 * nu + 1.0) / (8.0 * nu + 3.0)
    return normal(z)
