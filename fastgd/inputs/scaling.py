"""Standardisation without a copy: kernels shift and scale each column as they read it; and the inverse."""

from typing import NamedTuple

import numpy as np


class Scaling(NamedTuple):
    """``z = (x - shift) * inverse_scale``, both (d,) in the data's type; a constant column has ``inverse_scale`` 0."""

    shift: np.ndarray
    inverse_scale: np.ndarray

    @classmethod
    def none(cls, d, dtype):
        """Columns as they are."""
        return cls(np.zeros(d, dtype), np.ones(d, dtype))

    @classmethod
    def standard(cls, mean, variance, dtype, centre, intercept):
        """Unit variance, and zero mean if ``centre``; the scale is the standard deviation in both cases."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            # The computed variance of a constant column is the rounding error of its mean.
            constant = variance <= (16 * np.finfo(np.float64).eps * mean) ** 2
            inverse = np.where(constant, 0.0, 1.0 / np.sqrt(variance)).astype(dtype)
        inverse[~np.isfinite(inverse)] = 0.0
        if not intercept:
            # Without an intercept a constant column is a feature like any other, scaled by its size.
            size = np.abs(mean)
            inverse = np.where(constant & (size > 0), 1.0 / np.where(size > 0, size, 1.0), inverse).astype(dtype)
        shift = mean.astype(dtype) if centre else np.zeros(mean.size, dtype)
        return cls(shift, inverse)

    def kept(self, mean):
        """The same, with constant columns, whose means are ``mean``, scaled by their size, at least 1."""
        size = np.maximum(np.abs(mean), 1.0).astype(self.inverse_scale.dtype)
        return self._replace(inverse_scale=np.where(self.inverse_scale == 0, 1 / size, self.inverse_scale))

    def to_user(self, weights, bounds=None):
        """Coefficients (lanes, d) and intercepts (lanes,) in the user's units of ``weights`` (lanes, d + 1)."""
        d = self.shift.size
        weights = weights.astype(np.float64, copy=False)
        coef = weights[:, :d] * self.inverse_scale
        if self.inverse_scale.dtype != coef.dtype:
            # Kernels multiply the two in the data's type, so what underflows there had no effect in the fit. Skipped
            # for float64, where this would take 65 ns for nothing.
            coef[np.abs(coef) < np.finfo(self.inverse_scale.dtype).smallest_subnormal] = 0.0
        if bounds is not None:
            coef = np.clip(coef, *bounds)
        if not self.shift.any():  # sparse columns may be millions
            return coef, weights[:, d].copy()
        # Not by BLAS: its threads took 14 ms to wake up for 200,000 columns, and decide the bits.
        return coef, weights[:, d] - (coef * self.shift).sum(axis=1)

    def from_user(self, coef, intercept):
        """Coefficients (lanes, d) and intercepts (lanes,) in the user's units as those of the scaled columns."""
        return self.to_scaled(coef), intercept + coef @ self.shift.astype(np.float64)

    def to_scaled(self, coef):
        """Bounds or coefficients (d,) in the user's units as those of the scaled columns."""
        scale = np.where(self.inverse_scale > 0, self.inverse_scale, 1.0)
        with np.errstate(over="ignore"):  # a bound that overflows is no bound
            return coef / scale
