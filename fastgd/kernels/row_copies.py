"""Rows copied to other places: NumPy took two to three times as long, and held up the thread that takes the steps."""

from ._jit import kernel


@kernel
def copy_rows(rows, out, places):
    """Copy each row of an array to a place in another."""
    for k in range(places.size):
        place = places[k]
        for j in range(rows.shape[1]):
            out[place, j] = rows[k, j]
