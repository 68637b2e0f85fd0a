"""Logistic regression by Newton's method, to the last bit that doubles give: ln odds of bad = b0 + sum(b * x). Pure."""

from dataclasses import dataclass

import numpy as np

from reference_apps.risk.measures.vectors import Vector

MOST_STEPS = 100
SMALL_STEP = 1e-9
RIDGE = 1e-6


class NoFit(Exception):
    """The data allow no finite coefficients; the message says why."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """Coefficients and their standard errors, in the order of the inputs."""

    intercept: float
    coefficients: Vector
    errors: Vector

    def log_odds(self, inputs: Vector) -> Vector:
        """Return ln odds of bad, one per row, summed from left to right."""
        z = np.full(len(inputs), self.intercept)
        for at, coefficient in enumerate(self.coefficients):
            z = z + coefficient * inputs[:, at]
        return z


def probability(log_odds: Vector) -> Vector:
    """Return p(bad) of ln odds, without overflow."""
    z = np.abs(log_odds)
    small = np.exp(-z) / (1 + np.exp(-z))
    bad: Vector = np.where(log_odds < 0, small, 1 - small)
    return bad


def fit(inputs: Vector, bad: Vector) -> Logistic:
    """Fit n x k inputs to n labels; a tiny ridge on the coefficients keeps separable data finite. Raises NoFit."""
    whole = np.column_stack([np.ones(len(inputs)), inputs])
    ridge = np.full(whole.shape[1], RIDGE)
    ridge[0] = 0.0
    beta = np.zeros(whole.shape[1])
    for _ in range(MOST_STEPS):
        p = probability(whole @ beta)
        curvature = whole.T @ (whole * (p * (1 - p))[:, None]) + np.diag(ridge)
        try:
            step = np.linalg.solve(curvature, whole.T @ (bad - p) - ridge * beta)
        except np.linalg.LinAlgError as error:
            raise NoFit("two inputs say the same") from error
        beta = beta + _held(step)
        if np.abs(step).max() < SMALL_STEP * max(1.0, np.abs(beta).max()):
            break
    else:
        raise NoFit(f"no stable coefficients after {MOST_STEPS} steps: goods and bads are separated by an input")
    errors = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return Logistic(float(beta[0]), beta[1:], errors[1:])


def _held(step: Vector) -> Vector:
    """Hold a step back where the curvature is nearly flat, so that Newton's method does not overshoot."""
    longest = np.abs(step).max()
    return step if longest <= 5 else step * (5 / longest)
