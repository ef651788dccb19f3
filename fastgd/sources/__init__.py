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
        Naming the file and its fault: no array of numbers (n, d), other numbers of rows, a file that is cut off; when
        rows are read also whole numbers beyond 2**53, which float64 does not hold.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from fastgd import sources
    >>> folder = tempfile.mkdtemp()
    >>> np.save(f"{folder}/X.npy", np.arange(6.0).reshape(3, 2))
    >>> np.save(f"{folder}/y.npy", np.array(["no", "yes", "no"]))
    >>> sources.npy(f"{folder}/X.npy", f"{folder}/y.npy")
    Npy(3 rows of 2 columns, float64)
    """
    from .npy_source import Npy

    return Npy(X, y, weight, offset, names)


def csr(folder, y=None, *, weight=None, offset=None, n_features=None, names=None):
    """Sparse rows whose arrays lie in .npy files, read through memory maps, block by block.

    Parameters
    ----------
    folder : path
        With ``data.npy``, ``indices.npy`` and ``indptr.npy``: what ``np.save`` writes of those attributes of a SciPy
        CSR array. float32 and float64 numbers with indices of 4 bytes are read where they lie; others are converted
        as they are read. The columns of each row must ascend.
    y, weight, offset : path or None, default None
        Targets (n,) or (n, m), row weights and offsets (n,). None is the file ``y.npy``, ``weight.npy`` or
        ``offset.npy`` of the folder, if there is one.
    n_features : int or None, default None
        The number of columns. None is what ``shape.npy`` of the folder says (``np.save`` of ``X.shape``) or else the
        largest index and one, which is found by reading all.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        Naming the file and its fault; when rows are first read also the row whose columns do not ascend or are not
        below ``n_features``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastgd import sources
    >>> X, folder = csr_array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), tempfile.mkdtemp()
    >>> for name in ("data", "indices", "indptr"):
    ...     np.save(f"{folder}/{name}.npy", getattr(X, name))
    >>> sources.csr(folder)
    Csr(2 rows of 3 columns, float64)
    """
    from .csr_source import Csr

    return Csr(folder, y, weight, offset, n_features, names)
