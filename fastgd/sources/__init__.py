"""Data larger than memory: rows that are read from files, block by block, each time a pass needs them."""


def parquet(paths, target=None, features=None, weight=None, offset=None, dtype=None):
    """Rows in Parquet files, read row group by row group, of which only the needed columns are decoded.

    A row group is read in pieces of about 2 MB, so that one of a million rows takes no more memory than a small one:
    some 20 MB, and 2 MB for each column that is stored with a dictionary, which pyarrow does unless it is told
    ``use_dictionary=False`` (floats take less space without). Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders, or patterns such as ``"flights/*.parquet"``; ``"flights/**/*.parquet"`` finds those in all
        folders below. Rows are in the order of the sorted names. Columns that are only in names of folders, such as
        ``year=2024/``, are not read.
    target : str, list of str or None, default None
        The column of targets y (n,), numbers or labels; a list of names gives several targets (n, m), and so does one
        column of lists of m numbers. None for rows to predict.
    features : str, list of str or None, default None
        The columns of X, in this order: names, and patterns such as ``"f*"``. None for all columns of numbers that
        have no other role, in the order of the first file: text, categories and dates are left out. A column of lists
        of w numbers (a fixed-size list) is w columns, not copied if it is the only one.
    weight, offset : str or None, default None
        Columns of row weights and offsets, as ``sample_weight`` and ``offset`` of :func:`fastgd.fit`.
    dtype : "float32", "float64" or None, default None
        Of X. None for float32 if columns are float16 or float32, and all others are integers of at most 16 bits or
        booleans; else float64.

    Returns
    -------
    Source
        A shard is a row group.

    Raises
    ------
    FileNotFoundError
        If a path or a pattern names no file.
    ValueError
        If a file is cut off or no Parquet, lacks a column or has other columns than the first one, or if all are empty;
        as rows are read: for a null, or a whole number beyond 2**53 in X. Naming file, row group, row and column.
    TypeError
        If a column holds text, decimals or dates where numbers are needed, or another type than in the first file.
    ImportError
        Without pyarrow.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from fastgd.sources import parquet
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.parquet")
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "day": [1, 2, 3], "delay": [10.0, 0.0, 5.0]})
    >>> pq.write_table(table, path, row_group_size=2)
    >>> source = parquet(path, target="delay")
    >>> source, source.names
    (Parquet(3 rows of 2 columns, float64), ('distance', 'day'))
    >>> for shard in range(len(source.shards)):
    ...     for X, y, *_ in source.pieces(shard):
    ...         print(X.values.tolist(), y)
    [[1.5, 1.0], [2.0, 2.0]] [10.  0.]
    [[0.5, 3.0]] [5.]
    >>> folder.cleanup()
    """
    from .parquet_source import Parquet

    return Parquet(paths, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


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


def svmlight(paths, n_features, *, dtype="float32", zero_based="auto"):
    """Sparse rows in text files in svmlight (libsvm) format: lines of a target and pairs ``column:number``.

    Text is slow to read, some 50 MB a second: ``svmlight(...).cached(folder)`` reads it once.

    Parameters
    ----------
    paths : path or list of paths
        Files, patterns such as "data/*.svm", or folders; those that end in .gz, .bz2 or .xz are decompressed as they
        are read. Their rows are counted when they are first asked for, by a pass over the text. Comments behind ``#``
        and query numbers ``qid:`` are left out, as are empty lines.
    n_features : int
        The number of columns.
    dtype : "float32" or "float64", default "float32"
        Of the numbers; targets are float64.
    zero_based : bool or "auto", default "auto"
        Whether the first column has the number 0, else 1. "auto" is True if a column 0 stands in any of the files.

    Returns
    -------
    Source

    Raises
    ------
    ImportError
        Without pyarrow.
    FileNotFoundError, ValueError, TypeError
        Naming the argument; when rows are read the file and the line: no number, columns that do not ascend or are not
        below ``n_features``, several targets, a compressed file that is cut off.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from fastgd import sources
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.svm"
    >>> _ = path.write_text("1 1:0.5 3:2 # a comment\\n-1 2:1\\n")
    >>> sources.svmlight(path, 3)
    SvmLight(2 rows of 3 columns, float32)
    """
    from .svmlight_source import SvmLight

    return SvmLight(paths, n_features, dtype, zero_based)
