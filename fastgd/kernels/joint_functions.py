"""What joint losses do to a block of rows: functions called through ``addresses.py``."""

import numpy as np

from . import elementary  # noqa: F401  (registers the compiled twins that losses call)
from ._jit import inlined, written_out
from .addresses import address, arguments, part_at
from .emit import compact, wide
from .lane_vectors import assume_noalias

STEP = 1e-4  # of differences, beside scores of about 1: their error is about its square


@arguments("F* F2 F2 F1 I1 F2 int int")
def joint_block(part):
    """Losses and slopes of a block of rows."""
    method = written_out(part.values_and_slopes)

    def at_once(fields, p, slopes, values, labels, row, classes, rows):
        """Those of the scores ``p`` (classes or more, rows), which are lost; all float64.

        Columns beyond the first ``rows`` are of no use; ``row`` (3, classes) is scratch.
        """
        assume_noalias()
        wide()
        compact()
        method(part_at(part, fields), p[:classes], labels, values, slopes[:classes])

    def one_by_one(fields, p, slopes, values, labels, row, classes, rows):
        """The same of a loss that knows single rows only."""
        loss = part_at(part, fields)
        given, found = row[0], row[1]
        for k in range(rows):
            for c in range(classes):
                given[c] = p[c, k]
            values[k] = np.float64(loss.value_and_slopes(given, labels[k], found))
            for c in range(classes):
                slopes[c, k] = found[c]

    return at_once if part.values_and_slopes is not None else one_by_one


@arguments("F* F2 F2 F1 I1 F2 int int")
def joint_second_derivatives(part):
    """The means over the classes of a joint loss's second derivatives in each one's score, into ``values``."""
    method = written_out(part.mean_second_derivative)

    def from_slopes(fields, p, slopes, values, labels, row, classes, rows):
        """Those where ``joint_block`` has left the slopes; the arguments are the same."""
        compact()
        loss, given = part_at(part, fields), row[0]
        for k in range(rows):
            for c in range(classes):
                given[c] = slopes[c, k]
            values[k] = method(loss, given, labels[k])

    def by_differences(fields, p, slopes, values, labels, row, classes, rows):
        """Those at the scores ``p`` by central differences of slopes; of a loss that is not convex, absolute values."""
        loss = part_at(part, fields)
        given, above, below = row[0], row[1], row[2]
        for k in range(rows):
            label, total = labels[k], 0.0
            for c in range(classes):
                given[c] = p[c, k]
            for c in range(classes):
                score = given[c]
                h = STEP * max(1.0, abs(score))
                given[c] = score + h
                loss.value_and_slopes(given, label, above)
                given[c] = score - h
                loss.value_and_slopes(given, label, below)
                given[c] = score
                total += abs(above[c] - below[c]) / (2.0 * h)
            values[k] = total / classes

    return from_slopes if part.mean_second_derivative is not None else by_differences


def functions_of_second_derivatives(loss, dtype):
    """The addresses of the two functions whose calls lead to them, the second of which may be 0: none."""
    second = address(joint_second_derivatives, dtype, type(loss))
    return (address(joint_block, dtype, type(loss)), second) if loss.mean_second_derivative is not None else (second, 0)


@arguments("F* T2 T* T* bool F2 int int F2")
def joint_hessians(part):
    """The weighted second derivatives of a joint loss in every two of a row's scores."""

    def from_slopes(fields, S, y, weight, weighted, row, classes, rows, out):
        """Those of ``rows`` rows at the scores ``S`` (rows, classes or more), into ``out`` (rows, pairs or more).

        The pairs are (0, 0), (0, 1), ..., (1, 1), ...; ``row`` (3 + classes, classes) is scratch.
        """
        loss = part_at(part, fields)
        given, slopes, found = row[0], row[1], row[3 : 3 + classes]
        for k in range(rows):
            for c in range(classes):
                given[c] = S[k, c]
            loss.value_and_slopes(given, np.int64(y[k]), slopes)
            loss.second_derivatives(slopes, np.int64(y[k]), found)
            store_pairs(found, weight[k] if weighted else 1.0, out, k)

    def by_differences(fields, S, y, weight, weighted, row, classes, rows, out):
        """The same by central differences of slopes."""
        loss = part_at(part, fields)
        given, above, below, found = row[0], row[1], row[2], row[3 : 3 + classes]
        for k in range(rows):
            for c in range(classes):
                given[c] = S[k, c]
            for c in range(classes):
                p = given[c]
                h = STEP * max(1.0, abs(p))
                given[c] = p + h
                loss.value_and_slopes(given, np.int64(y[k]), above)
                given[c] = p - h
                loss.value_and_slopes(given, np.int64(y[k]), below)
                given[c] = p
                for other in range(classes):
                    found[c, other] = (above[other] - below[other]) / (2.0 * h)
            store_pairs(found, weight[k] if weighted else 1.0, out, k)

    return from_slopes if part.second_derivatives is not None else by_differences


@inlined
def store_pairs(found, weight, out, k):
    """The weighted upper triangle of a matrix, or the mean of the two triangles, as row k of ``out``; zeros behind."""
    place = 0
    for a in range(found.shape[0]):
        for b in range(a, found.shape[0]):
            out[k, place] = 0.5 * weight * (found[a, b] + found[b, a])
            place += 1
    for pair in range(place, out.shape[1]):
        out[k, pair] = 0.0
