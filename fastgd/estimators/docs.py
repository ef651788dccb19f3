"""What the docstrings of SGDRegressor and SGDClassifier have in common."""

import inspect

SHARED = {
    "penalty to epsilon": """
penalty : {"l2", "l1", "elasticnet"} or None, default "l2"
    Its strength is ``alpha``, of the raw coefficients as in scikit-learn; where columns are standardised, of the
    scaled ones.
alpha : float, default 0.0001
    Strength of the penalty; also what "optimal" rates are made of.
l1_ratio : float or None, default 0.15
    The share of L1 in "elasticnet".
fit_intercept : bool, default True
max_iter : int, default 1000
    The largest number of passes of ``fit``.
tol : "auto", float or None, default "auto"
    When to end. With an automatic rate the relative decrease of the objective that is too little, "auto" is 1e-6 on
    the full batch of a loss without kinks and 1e-3 otherwise. Else scikit-learn's rule: the objective (or the
    score of the held-out rows) has to gain this much, in absolute terms, and "auto" is 1e-3. None never ends.
shuffle : bool or {"block", "full", "replacement"}, default True
    True is scikit-learn's order for given schedules, and "block" otherwise, which reads faster. See
    :func:`fastgd.fit` for the others.
verbose : int, default 0
    1 prints what was chosen and shows a progress bar.
epsilon : float, default 0.1
    Of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
""",
    "random_state to eta0": """
random_state : int, RandomState instance or None, default None
learning_rate : str, float or part, default "auto"
    "auto" asks for no rate: Newton's steps on the full batch, and what :func:`fastgd.fit` does elsewhere.
    scikit-learn's "constant", "optimal", "invscaling", "adaptive", "pa1" and "pa2" take scikit-learn's steps. A
    number, the name of another of :mod:`fastgd.schedules` (its first rate is ``eta0``), or e.g.
    ``fastgd.schedules.Cosine(0.1)``.
eta0 : float, default 0.01
""",
    "early_stopping to n_iter_no_change": """
early_stopping : bool, default False
    Hold out ``validation_fraction`` of the rows and end when their score has not risen by ``tol`` for
    ``n_iter_no_change`` epochs. The weights are the last ones.
validation_fraction : float, default 0.1
n_iter_no_change : int, default 5
""",
    "warm_start to bounds": """
warm_start : bool, default False
    Begin at the coefficients of the fit before.
average : bool or int, default False
    Give the mean of the weights after each step, from the first step or the step of this number on.
optimizer : "auto", str or part, default "auto"
    One of :mod:`fastgd.optimizers`.
momentum : float or None, default None
    Of "sgd", "momentum", "nesterov" or "rmsprop".
batch_size : "auto", int or None, default "auto"
    Rows a step, None is all. "auto" is 1 with a given schedule; with an automatic rate it is all, or 32 of sparse
    rows with 1,024 columns or more.
standardize : "auto", "scale" or bool, default "auto"
    Scale the columns as they are read; "scale" does not centre them, which sparse ones never are. "auto" is False
    with a given schedule. With an automatic rate it is False where nothing is lost by it, so that ``alpha`` acts on
    raw coefficients: for Newton's steps (see :func:`fastgd.fit`) and for sparse rows of many columns; else True.
    ``coef_`` is in the units of the columns either way.
bounds : (low, high) or None, default None
    Numbers or arrays (d,) between which the coefficients stay.
""",
    "n_iter_ to feature_names_in_": """
n_iter_ : int
    Passes over the data; of models that ended apart the most.
t_ : float
    1 + the rows passed, as scikit-learn counts them.
loss_curve_ : ndarray (n_iter_,)
    The loss of each epoch, the mean over targets or classes: the objective on the full batch, and the running mean
    of the losses, without the penalty, in batches.
choices_ : dict of str to str
    What was chosen for each setting left at "auto", in words.
n_features_in_, feature_names_in_
""",
    "Notes": """
Notes
-----
With an automatic rate, and on the full batch, row weights are scaled to mean 1, so that integer weights equal
repeated rows. On batches with a given schedule, and in ``partial_fit``, they are taken as they are, and the results
are scikit-learn's to rounding on dense rows without L1 and at the same number of epochs. Where an epoch ends a run
may differ by a hair: the penalty is measured between epochs. L1 is a proximal step here, not cumulative, and early
stopping scores the weights as they are (scikit-learn: before their L2 shrinking is multiplied in). Sparse rows give
the model that they give when dense: their intercept is not held back.
""",
}


def with_shared_docs(cls):
    """The class, each ``<name>`` in its docstring replaced by the shared text of this name."""
    if cls.__doc__:  # none under python -OO
        cls.__doc__ = inspect.cleandoc(cls.__doc__)
        for name, text in SHARED.items():
            cls.__doc__ = cls.__doc__.replace(f"<{name}>", text.strip())
    return cls
