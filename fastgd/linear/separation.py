"""Rows that a direction of the coefficients separates, so that an unpenalised loss has no finite minimiser.

Along such a direction no loss rises and some fall for ever (Albert and Anderson 1984; Konis 2007): a value of a column
that comes with one label alone, a column that is zero but where counts are. It is looked for where a fit has ended, and
told only if it is proven, by the sign of each row's score along it.
"""

import numpy as np

from ..results import messages
from ..solvers.problem import given_steps

NUMBERS = 1 << 20  # of the rows: of more, only runs of many epochs are looked at, as those of separated rows are
MANY_EPOCHS = 5
WIDEST = 300  # weights, up to which combinations of columns are looked for
GONE = 1e-3, 0.03  # what may be left of a label's probability, or of the mean count, for a row to be separated
PER_WEIGHT = 2  # rows, of those that are not, of which a direction is made at first
TURNS = 5
DEPENDENT = 1e-9  # of the largest singular value: directions in which these rows do not reach
EXACT = 1e-7  # of the largest score along a direction: zero, but for rounding
BLOCK, LARGEST_BLOCK = 256, 1 << 14  # rows: most columns have one on the wrong side among the first
SOLID = 1e-10  # of the mean square: rows whose products are definite beyond it reach in all directions
NAMED = 3


def separated(choice, plan, model, outcome):
    """A sentence on separated rows, or None where none are found."""
    loss, table = model.loss, choice.table
    held = choice.options.alpha > 0 or choice.bounds is not None or getattr(model.optimizer, "decays", False)
    if (
        held
        or not loss.recedes
        or plan.start.chunked
        or model.fold >= 0
        or model.replicate >= 0
        or outcome.status not in ("converged", "max_epochs")
    ):
        return None
    if outcome.verdict.reason == messages.SEPARABLE:
        return messages.SEPARABLE
    read = not table.X.in_memory
    large = read or (table.X.stored > NUMBERS and outcome.clock.epoch < MANY_EPOCHS)
    if large and table.X.sparse:
        return None
    weights, counted = outcome.weights.astype(np.float64), np.ones(table.X.shape[0], bool)
    if plan.rows is not None:
        counted = np.isin(np.arange(len(counted)), plan.rows)
    if table.weight.size:
        counted &= table.weight > 0
    if read and not counted.all():
        return None  # the rows that count would have to lie in memory
    for k, one in enumerate([weights] if loss.joint else weights[:, None]):
        target = 0 if loss.joint else model.target + k
        rows = Rows(choice, loss, table.y[target], counted)
        # Given steps that are not at their end are not near a direction either: it took a tenth of the time of a run.
        ended = outcome.status == "converged" or given_steps(choice.options) is None
        near = ended and one.size <= WIDEST and not large
        found = rows.along_column() or (rows.along_columns(one) if near else None)
        if found is not None:
            which = f" of target {target}" if len(table.y) > 1 else ""
            return in_words(*found, rows.n, table.names, which)
    return None


def in_words(count, columns, n, names, which):
    """How many rows are separated by which columns."""
    shown = ", ".join(repr(names[j]) if names else str(j) for j in columns[:NAMED])
    shown = f"column{'s' if len(columns) > 1 else ''} {shown}{', ...' if len(columns) > NAMED else ''}"
    return messages.SEPARATED_ROWS.format(count=count, n=n, which=which, columns=shown)


class Rows:
    """The rows of a fit.

    ``sides`` of some rows (rows, K): of two classes and of counts K is 1, and the loss of a row falls for ever as its
    score goes to that side, +1 or -1; 0 is a count that is not zero, for none. Of several classes each has a column, +1
    for its own rows: the loss of a row falls as the score of its class rises above each other.
    """

    def __init__(self, choice, loss, y, counted):
        table, self.scaling, self.loss = choice.table, choice.scaling, loss
        every = bool(counted.all())
        self.X, self.y = (table.X, y) if every else (table.X.take(counted), y[counted])
        self.offset = (table.offset if every else table.offset[counted]) if table.offset.size else 0.0
        self.n, self.intercept = len(self.y), bool(choice.options.fit_intercept)
        self.classes = len(table.classes) if loss.joint else 1

    def sides(self, some=slice(None)):
        """The sides (rows, K) of some rows."""
        y = self.y[some, None]
        if self.loss.joint:
            return np.where(y == np.arange(self.classes), 1.0, -1.0)
        return np.where(y > 0, 1.0 if self.loss.labels else 0.0, -1.0)

    def along_column(self):
        """How many rows single columns separate, and which ones, or None."""
        one_sided = self.one_sided_csr if self.X.sparse else self.one_sided
        found = [one_sided(k) for k in range(self.classes)]
        columns = np.unique(np.concatenate(found))
        if not columns.size:
            return None
        count, some = 0, np.zeros(len(columns), bool)  # a column of zeros separates none
        for _, rows in [(0, self.X)] if self.X.in_memory else self.X.blocks():
            nonzero, places = rows.given()[:, columns].nonzero()
            count += len(np.unique(nonzero))
            some[places] = True
        return (count, columns[some].tolist()) if count else None

    def one_sided(self, k):
        """The columns of dense rows that no row, or each one, has on the wrong side of the kind k."""
        right, left = (np.arange(self.X.shape[1]) for _ in range(2))
        for first, block in self.dense_blocks():
            own = self.sides(slice(first, first + len(block)))[:, k, None]
            right, left = (self.not_against(block, own * sign, columns) for sign, columns in ((1, right), (-1, left)))
            if not right.size + left.size:
                break
        return np.union1d(right, left)

    def dense_blocks(self):
        """The numbers of first rows, and the values of blocks of rows, of which most often the first is enough."""
        if not self.X.in_memory:
            for first, rows in self.X.blocks(LARGEST_BLOCK):
                yield first, rows.values
            return
        first, size = 0, BLOCK
        while first < self.n:
            yield first, self.X.values[first : first + size]
            first, size = first + size, min(2 * size, LARGEST_BLOCK)

    @staticmethod
    def not_against(block, own, columns):
        """Those of the columns that no row of a block has on the wrong side; ``own`` is 0 for rows that have none."""
        part = block[:, columns]
        return columns[~((part * own < 0) | ((own == 0) & (part != 0))).any(axis=0)]

    def one_sided_csr(self, k):
        """The same of sparse rows."""
        side = self.sides()[:, k]
        values, indices, starts = self.X.flat()
        own, against = np.repeat(side, np.diff(starts.astype(np.int64))), np.zeros((2, self.X.shape[1]), bool)
        for row, sign in enumerate((1, -1)):
            against[row, indices[(values * own * sign < 0) | ((own == 0) & (values != 0))]] = True
        return np.flatnonzero(~against.all(axis=0))

    def along_columns(self, weights):
        """How many rows a combination of columns separates, and which ones, or None; near the weights of a fit."""
        margins = self.margins(weights, self.offset)
        pairs = self.sides() < 0 if self.loss.joint else np.ones(margins.shape, bool)
        with np.errstate(over="ignore"):
            if self.loss.labels or self.loss.joint:
                rest = 1.0 / (1.0 + np.exp(margins))
            else:
                rest = np.where(self.sides() == 0, np.inf, np.exp(-margins) / (self.y.mean() or 1.0))
        for limit in GONE:
            apart = pairs & (rest < limit)
            if apart.any() and (found := self.apart_along(weights, apart, pairs & ~apart)) is not None:
                return found
        return None

    def apart_along(self, weights, apart, near):
        """The part of the weights that gives pairs that are ``near`` scores of zero, if it separates the others."""
        near, scale = np.argwhere(near), float(np.abs(weights).max())
        some = PER_WEIGHT * weights.size
        chosen = near[:: max(1, len(near) // some)]
        for _ in range(TURNS):
            across = self.constraints(chosen, weights.shape)
            if definite(across):
                return None
            _, lengths, basis = np.linalg.svd(across, full_matrices=True)
            free = basis[np.count_nonzero(lengths > DEPENDENT * lengths.max(initial=0.0)) :]
            way = (free.T @ (free @ weights.reshape(-1))).reshape(weights.shape)
            margins = self.margins(way)
            largest = float(margins[apart].max())
            if not largest > EXACT * scale or margins[apart].min() < -EXACT * largest:
                return None
            off = near[np.abs(margins[tuple(near.T)]) > EXACT * largest]
            if not len(off):
                sizes = np.abs(way[:, :-1]).max(axis=0)
                columns = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes > 1e-3 * sizes.max())]
                separate = ((margins > EXACT * largest) & apart).any(axis=1)
                return int(np.count_nonzero(separate)), columns.tolist()
            chosen = np.concatenate([chosen, off[:: max(1, len(off) // some)]])
        return None

    def margins(self, weights, offset=0.0):
        """How far scores of weights (K, d + 1) are on the rows' sides; of several classes, above each other class."""
        coef, intercept = self.scaling.to_user(weights)
        scores = self.X.scores(coef) + intercept
        if self.loss.joint:
            return scores[np.arange(self.n), self.y.astype(np.intp)][:, None] - scores
        return (scores + np.reshape(offset, (-1, 1))) * np.where(self.sides() == 0, 1.0, self.sides())

    def constraints(self, chosen, shape):
        """What the margins of pairs (row, class) multiply weights by, (pairs, K * (d + 1))."""
        numbers, classes = chosen.T
        x = (self.X.take(numbers).array() - self.scaling.shift) * self.scaling.inverse_scale
        x = np.column_stack([x, np.full(len(x), float(self.intercept))])
        found = np.zeros((len(x), *shape))
        if self.loss.joint:
            found[np.arange(len(x)), self.y[numbers].astype(np.intp)] += x
        found[np.arange(len(x)), classes] -= x
        # Weights that scores do not depend on stay as they are: those of constant columns, and what all classes share.
        none = np.append(self.scaling.inverse_scale == 0, not self.intercept)
        shared = np.broadcast_to(
            np.diag(np.ones(len(none)) if self.loss.joint else none * 1.0)[:, None], (len(none), *shape)
        )
        return np.concatenate([found, shared]).reshape(-1, np.prod(shape))


def definite(across):
    """Whether the rows of a matrix reach in all directions, for sure."""
    products = across.T @ across
    products[np.diag_indices_from(products)] -= SOLID * np.trace(products) / len(products)
    try:
        np.linalg.cholesky(products)
    except np.linalg.LinAlgError:
        return False
    return True
