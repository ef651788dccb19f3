"""Data larger than memory: rows that are read from files, block by block, each time a pass needs them."""


def npy(X, y=None, *, weight=None, offset=None, names=None):
    """Rows in .npy files, read through memory maps, block by block.

    Parameters
    ----------
    X : path
        An array (n, d). Row-major float32 or float64 is read where it lies; other numbers are converted as they are
        read, float16 to float32 and all others to float64.
    y : path or None, default None
        Targets (n,) or (n, m); None for rows to predict.
    weight, offset : path or None, default None
        Row weights and offsets (n,), as ``sample_weight`` and ``offset`` of :func:`fastgd.fit`.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        Naming the file and its fault.
    """
    from .npy_source import Npy

    return Npy(X, y, weight, offset, names)
