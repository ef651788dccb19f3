"""The coefficients of a result by their size: with the names of their columns, raw or scaled."""

from typing import NamedTuple

import numpy as np

from .shown import ShownTable, number

LETTERS = 40  # of a name


def plain(name):
    """A name or label on one line, of a few letters: a table is as wide as the longest."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(name))
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


class Coefficients(NamedTuple):
    """Coefficients as they are shown."""

    values: np.ndarray  # (outputs, d), raw
    spread: np.ndarray | None  # (d,) of the columns; None where it is not known
    names: list  # (d,) of the columns
    outputs: list  # (outputs,) the labels of classes or the numbers of targets; [""] for one

    @classmethod
    def of(cls, result):
        """Those of a result of ``fit``."""
        values = np.atleast_2d(result.coef)
        names = result.feature_names or [f"column {j}" for j in range(values.shape[1])]
        if len(values) == 1:
            outputs = [""]
        elif result.classes is not None:
            outputs = [f"class {plain(label)}" for label in result.classes]
        else:
            outputs = [f"target {k}" for k in range(len(values))]
        return cls(values, spread_of(result.state), list(map(plain, names)), outputs)

    @property
    def scaled(self):
        """Each times the spread of its column, or the raw ones."""
        return self.values if self.spread is None else self.values * self.spread

    def largest(self, most, scaled=True):
        """The numbers (output, column) of the largest coefficients that are not 0, the largest first."""
        sizes = np.abs(self.scaled if scaled else self.values)
        sizes = np.nan_to_num(sizes).reshape(-1)
        most = min(most, int(np.count_nonzero(sizes)))
        found = np.argpartition(-sizes, most - 1)[:most] if 0 < most < sizes.size else np.arange(sizes.size)
        found = found[np.argsort(-sizes[found], kind="stable")][:most]
        return [divmod(int(k), self.values.shape[1]) for k in found]

    def columns_by_size(self, scaled=True):
        """The columns, the one with the largest coefficient first."""
        sizes = np.abs(self.scaled if scaled else self.values).max(axis=0)
        return np.argsort(-np.nan_to_num(sizes), kind="stable")

    def label(self, output, column):
        """What a coefficient is of."""
        return f"{self.names[column]} ({self.outputs[output]})" if self.outputs[output] else self.names[column]

    def table(self, most):
        """The largest in a table, or None where there is nothing to rank."""
        found = self.largest(most)
        if not found:
            return None
        head, scaled = ("column", "coefficient"), self.scaled
        head += ("times spread",) if self.spread is not None else ()
        rows = []
        for at in found:
            numbers = [float(self.values[at]), *([float(scaled[at])] if self.spread is not None else [])]
            rows.append((self.label(*at), *map(number, numbers)))
        left = np.count_nonzero(self.values) - len(rows)
        words = "largest coefficients" + (f" of {len(rows) + left}" if left else "")
        return ShownTable(words, head, rows)


def spread_of(state):
    """The standard deviations (d,) of the columns, or about zero where they are not centred; None if not known."""
    if state is None or not state.resolved["standardize"]:
        return None
    inverse = state.inverse_scale.astype(np.float64)
    return np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0)
