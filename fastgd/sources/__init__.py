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
        have no other role, in the order of the first file: text, categories, dates and the index of a pandas frame are
        left out. A column of lists of w numbers (a fixed-size list) is w columns, not copied if it is the only one.
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


def arrow(paths, target=None, features=None, weight=None, offset=None, dtype=None):
    """Rows in Arrow IPC files (Feather, ``.arrow``), read through memory maps, record batch by record batch.

    Numbers that are stored without compression are read where they lie; of compressed files a whole record batch is
    decompressed at a time. Files of streams (``.arrows``) are read too, each as one shard. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders or patterns, as of :func:`parquet`.
    target, features, weight, offset, dtype
        As of :func:`parquet`.

    Returns
    -------
    Source
        A shard is a record batch.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError, ImportError
        As :func:`parquet`; messages name the record batch.

    Examples
    --------
    >>> import os, tempfile
    >>> import pyarrow as pa
    >>> from fastgd.sources import arrow
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.arrow")
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "late": ["no", "no", "yes"]})
    >>> with pa.ipc.new_file(path, table.schema) as file:
    ...     file.write_table(table, max_chunksize=2)
    >>> source = arrow(path, target="late")
    >>> source
    Arrow(3 rows of 1 columns, float64)
    >>> [block.y.tolist() for shard in range(2) for block in source.pieces(shard)]
    [['no', 'no'], ['yes']]
    >>> folder.cleanup()
    """
    from .arrow_source import Arrow

    return Arrow(paths, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


def csv(paths, target=None, features=None, weight=None, offset=None, dtype=None, delimiter=","):
    """Rows in text files of comma-separated values with a header line, read block by block.

    Text is read at a small part of the speed of other formats: ``source.cached(folder)`` reads it once. When the source
    is opened all files are read to count their rows, in a quarter of the time of a pass. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    paths : path or list of paths
        Files, folders or patterns, as of :func:`parquet`; also compressed (``.gz``, ``.bz2``, ``.zst``).
    target, features, weight, offset, dtype
        As of :func:`parquet`. Which columns hold numbers is known from the first 256 kB of each file. Cells that are
        empty, ``NA``, ``NaN`` or ``null`` are nulls, and an error; a label in quotes may be any of these. A target is
        whole numbers, numbers, ``true`` and ``false``, or labels if it has any other value.
    delimiter : str, default ","
        The character between two values.

    Returns
    -------
    Source
        A shard is a file; X is float64 unless ``dtype`` says otherwise.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError, ImportError
        As :func:`parquet`; also for lines with too few or too many values, and for text in a column of numbers.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastgd.sources import csv
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = os.path.join(folder.name, "flights.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("distance,carrier,delay\\n1.5,UA,10\\n2,AA,0\\n")
    >>> source = csv(path, target="delay")
    >>> source.names
    ('distance',)
    >>> block = next(source.pieces(0))
    >>> block.X.values.tolist(), block.y.tolist()
    ([[1.5], [2.0]], [10, 0])
    >>> folder.cleanup()
    """
    from .csv_source import Csv

    return Csv(paths, delimiter=delimiter, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


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
        Whether the first column has the number 0, else 1. "auto" is True if a column 0 stands in any of the files,
        which takes the pass that counts the rows also for ``cached``.

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
    >>> rows = sources.svmlight(path, 3)
    >>> rows.n
    2
    """
    from .svmlight_source import SvmLight

    return SvmLight(paths, n_features, dtype, zero_based)


def stream(table, target=None, features=None, weight=None, offset=None, dtype=None):
    """Rows of anything with ``__arrow_c_stream__``: a reader of record batches, a DuckDB query, a table in memory.

    A stream is read once, batch by batch: it suits ``partial_fit``, or ``stream(...).cached(folder)`` writes it where
    it can be read again. Tables of pyarrow, polars and pandas are read as often as needed. Needs ``fastgd[arrow]``.

    Parameters
    ----------
    table : object with ``__arrow_c_stream__``
        Such as a pyarrow RecordBatchReader or Table, a polars or pandas data frame, a DuckDB relation.
    target, features, weight, offset, dtype
        As of :func:`parquet`.

    Returns
    -------
    Source
        Of one shard. ``repeatable`` says whether it is a table; how many rows a stream has is not known before.

    Raises
    ------
    ValueError, TypeError, ImportError
        As :func:`parquet`; also ValueError if a stream is read for the second time, and TypeError if ``table`` is none
        or if a stream is pickled.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from fastgd.sources import stream
    >>> table = pa.table({"distance": [1.5, 2.0, 0.5], "delay": [10.0, 0.0, 5.0]})
    >>> stream(table, target="delay")
    Stream(3 rows of 1 columns, float64)
    >>> source = stream(table.to_reader(max_chunksize=2), target="delay")
    >>> source
    Stream(1 columns, one pass, float64)
    >>> [block.X.values.ravel().tolist() for block in source.pieces(0)]
    [[1.5, 2.0], [0.5]]
    """
    from .stream_source import Stream

    return Stream(table, target=target, features=features, weight=weight, offset=offset, dtype=dtype)


def shards(load, specs, *, rows=None, names=None):
    """Whatever a function loads: for formats that there is no other source for, data bases and object stores.

    Parameters
    ----------
    load : callable
        ``load(spec)`` returns X, ``(X, y)``, ``(X, y, weight)`` or ``(X, y, weight, offset)`` of a shard, the same each
        time: X is an array (rows, columns) or a SciPy sparse array, y has shape (rows,) or (rows, m), row weights and
        offsets (rows,); None for a part that is not there. To be used in other processes, it must be one that pickle
        finds: a function of a module.
    specs : iterable
        What ``load`` is given, for each shard: a path, a range, a query. A shard must fit in memory.
    rows : sequence of int or None, default None
        The number of rows of each shard. None counts them when they are first asked for, by loading each shard once;
        so are the numbers of sparse rows.
    names : sequence of str or None, default None
        The names of the columns.

    Returns
    -------
    Source

    Raises
    ------
    RuntimeError
        ``load`` raised; the message has the number and the spec of the shard.
    ValueError, TypeError
        A shard that differs from the first one in the columns, their type or the parts, or from its own rows when it
        was loaded before.

    Notes
    -----
    What ``cached(folder)`` and runs that go on compare are the specs and the code of ``load``, with the values that it
    holds, but nothing that it calls or reads.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgd import sources
    >>> def load(seed):
    ...     X = np.random.default_rng(seed).standard_normal((100, 3))
    ...     return X, X.sum(axis=1)
    >>> rows = sources.shards(load, range(4))
    >>> rows.n
    400
    """
    from .shards_source import Shards

    return Shards(load, specs, rows, names)


def dask(X, y=None, *, weight=None, offset=None, names=None):
    """The partitions of dask arrays or data frames, computed one at a time, each time they are read.

    Nothing of them stays in memory, here or on a cluster: pass collections that read files, not persisted ones.

    Parameters
    ----------
    X : dask array (n, d) or dask data frame
        Of numbers: float32 and float16 are read as float32, all others as float64. Missing values become NaN.
    y, weight, offset : dask array, series or None, default None
        Targets (n,) or (n, m), row weights and offsets (n,), with the partitions of X; those of arrays whose sizes are
        known are made so.
    names : sequence of str or None, default None
        The names of the columns; None is those of a data frame.

    Returns
    -------
    Source
        Its rows are counted when they are first asked for, where dask does not know the sizes of the chunks, by
        computing each partition once.

    Raises
    ------
    ImportError
        Without dask.
    ValueError, TypeError
        Columns that hold no numbers, or partitions that do not fit each other.
    RuntimeError
        When rows are read: a partition could not be computed.

    Examples
    --------
    >>> import dask.array as da
    >>> from fastgd import sources
    >>> X = da.ones((1000, 3), chunks=(250, 3))
    >>> sources.dask(X, X.sum(axis=1))
    Dask(1,000 rows of 3 columns, float64)
    """
    from .dask_source import Dask

    return Dask(X, y, weight, offset, names)
