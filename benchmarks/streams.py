"""``python -m benchmarks streams``: progressive losses of ``partial_fit`` against scikit-learn's and river's.

Each chunk is predicted by the model of the chunks before, then learned; the loss of a stream is the mean over its rows.
scikit-learn's ``partial_fit`` stands behind a scaler that was fitted on the whole stream, which no user of a stream can
have; river's linear models stand behind its running scaler. Chunks are the same for all. Ratios below 1 are ahead.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.preprocessing import StandardScaler

import fastgd
from fastgd import losses

from .stream_cases import streams

HEAD = ("stream", "fastgd", "scikit-learn", "river", "ratio to the better")
CLASSES = {
    "squared_error": losses.SquaredError,
    "log_loss": losses.LogLoss,
    "poisson": losses.Poisson,
    "hinge": losses.Hinge,
}
TOL = 1.02  # "no worse": losses of two good models differ by as much


def loss_of(name):
    """The loss of a stream by its name."""
    kind, _, value = name.partition(" ")
    return losses.Quantile(float(value)) if value else CLASSES[kind]()


def progressive(X, y, stream, learn, scores, fit=None):
    """The mean loss of scores of chunks that are learned afterwards; of zeros before the first.

    ``fit``, by default ``learn``, takes the rows that are fitted at the beginning.
    """
    total, loss = 0.0, loss_of(stream.loss)
    if stream.fitted:
        (fit or learn)(X[: stream.fitted], y[: stream.fitted])
    for first in range(stream.fitted, len(y), stream.chunk):
        some, target = X[first : first + stream.chunk], y[first : first + stream.chunk]
        score = scores(some) if first else np.zeros(len(target))
        with np.errstate(all="ignore"):
            total += loss.value(score, target).sum()
        learn(some, target)
    return total / (len(y) - stream.fitted)


def ours(stream, X, y):
    """The progressive loss of fastgd's ``partial_fit``, called with nothing but the loss."""
    loss, result, start = loss_of(stream.loss), None, None
    classes = [0.0, 1.0] if loss.labels else None

    def fit(some, target):
        nonlocal start
        start = fastgd.fit(some, target, loss=loss)

    def learn(some, target):
        nonlocal result
        begin = {"start": start} if result is None else {}
        result = fastgd.partial_fit(some, target, result, loss=loss, classes=classes, **begin)

    return progressive(X, y, stream, learn, lambda some: (result or start).decision_function(some), fit)


def sklearns(stream, X, y):
    """That of scikit-learn's, behind a scaler of all rows; NaN where it has no such loss."""
    loss = loss_of(stream.loss)
    known = {"squared_error": {}, "quantile 0.5": {"loss": "epsilon_insensitive", "epsilon": 0.0}}
    if loss.labels:
        model = SGDClassifier(loss=stream.loss, random_state=0)
    elif stream.loss in known:
        model = SGDRegressor(**known[stream.loss], random_state=0)
    else:
        return np.nan
    X = StandardScaler(with_mean=not scipy.sparse.issparse(X)).fit_transform(X)
    more = {"classes": [0.0, 1.0]} if loss.labels else {}
    scores = model.decision_function if loss.labels else model.predict
    return progressive(X, y, stream, lambda a, b: model.partial_fit(a, b, **more), scores, model.fit)


def rivers(stream, X, y):
    """That of river's linear models behind its running scaler; NaN where it has none."""
    from river import linear_model, optim, preprocessing

    kinds = {
        "squared_error": optim.losses.Squared, "poisson": optim.losses.Poisson,
        "quantile 0.5": lambda: optim.losses.Quantile(0.5), "quantile 0.9": lambda: optim.losses.Quantile(0.9),
    }  # fmt: skip
    if stream.loss == "log_loss":
        model = linear_model.LogisticRegression()
    elif stream.loss in kinds:
        model = linear_model.LinearRegression(loss=kinds[stream.loss]())
    else:
        return np.nan
    scaler, dense = preprocessing.StandardScaler(), X.toarray() if scipy.sparse.issparse(X) else X
    names = range(dense.shape[1])

    def rows(some):
        return [dict(zip(names, row, strict=True)) for row in some.tolist()]

    def scores(some):
        scaled = [scaler.transform_one(row) for row in rows(some)]
        if stream.loss == "log_loss":
            share = np.clip([model.predict_proba_one(row).get(True, 0.5) for row in scaled], 1e-15, 1 - 1e-15)
            return np.log(share / (1 - share))
        found = np.array([model.predict_one(row) for row in scaled])
        return np.log(np.maximum(found, 1e-300)) if stream.loss == "poisson" else found

    def learn(some, target):
        for row, one in zip(rows(some), target.tolist(), strict=True):
            scaler.learn_one(row)
            model.learn_one(scaler.transform_one(row), bool(one) if stream.loss == "log_loss" else one)

    return progressive(dense, y, stream, learn, scores)


def compared(stream):
    """The three losses of a stream, and the ratio of ours to the better of the others."""
    X, y = stream.make()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = [run(stream, X, y) for run in (ours, sklearns, rivers)]
    return *found, found[0] / np.nanmin(found[1:])


def table(rows):
    """The comparison in Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|" + "--:|" * (len(HEAD) - 1)]
    for label, *numbers, ratio in rows:
        shown = ["" if np.isnan(number) else f"{number:.4g}" for number in numbers]
        lines.append(f"| {label} | " + " | ".join([*shown, f"{ratio:.3f}"]) + " |")
    return "\n".join(lines)


def main(arguments=None):
    """Print the table; 1 if a stream is worse."""
    parser = argparse.ArgumentParser(prog="benchmarks streams", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only the streams with one of these words in their names")
    parser.add_argument("--to", type=Path, default=None, help="write the page here")
    given = parser.parse_args(arguments)
    rows = []
    for stream in streams():
        if not given.words or any(word in stream.label for word in given.words):
            rows.append((stream.label, *compared(stream)))
            print(f"{rows[-1][-1]:8.3f}  {stream.label}", flush=True)
    worse = [label for label, *_, ratio in rows if not ratio <= TOL]
    summary = (
        f"{len(rows) - len(worse)} of {len(rows)} streams are no worse (within {TOL - 1:.0%}) than the better peer."
    )
    print(table(rows), summary, sep="\n\n")
    if given.to is not None:
        given.to.write_text(f"# Streams\n\n{__doc__.partition(chr(10))[2].strip()}\n\n{summary}\n\n{table(rows)}\n")
    return 1 if worse else 0
