"""``fit``: check the options and the data, choose, plan, train, report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..inputs.options import FitOptions, signature_of
from ..results.divergence import warn_of_divergence
from ..results.progress import print_choices
from ..solvers.compiled import COMPILED
from ..training.loop import train
from .auto import Choices
from .checkpoints import with_checkpoints
from .placed import let_go, placed
from .planning import plan_of
from .report import report, with_replicates
from .start import start_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import FitResult, Rows


def fit(X: Rows, y: ArrayLike | None = None, **options: Any) -> FitResult:
    r"""Fit a linear model by gradient descent.

    Minimises the mean over the rows of ``weight * loss(x @ coef + intercept + offset, y)``, weights scaled to mean 1,
    plus ``alpha * (l1_ratio * |coef|_1 + (1 - l1_ratio)/2 * |coef|^2)``. The intercept is never penalised.

    Parameters
    ----------
    X : array-like (n, d)
        Rows of numbers: an array, a memory map (not loaded), a data frame (its column names are kept), or a SciPy
        sparse matrix or array. float32 and float64 are used as they are and never copied where C-contiguous, or in
        canonical CSR with int32 indices; float16 becomes float32, other types of number float64. Sparse rows stay
        sparse: a step costs their numbers (see ``lazy``), and they give the model that the same rows give when dense.
        Or one of :mod:`fastgd.sources`, whose rows are read from files again for each pass and need no memory: it
        holds its targets, weights and offsets, and the model has the bits that the same rows in memory give. A
        collection of Dask is such a source, of its partitions.
    y : array-like (n,) or (n, m), or None
        Targets, or m of them, each fitted by itself in the same passes. Labels of any kind for losses of classes: two
        for "log_loss", "hinge", "squared_hinge", "modified_huber" and "perceptron", two or more for "multinomial". At
        least 0 for "poisson" and "tweedie", positive for "gamma". None with a source, which holds its own.
    loss : str or part, default "squared_error"
        The name of one of :mod:`fastgd.losses`, or e.g. ``fastgd.losses.Huber(delta=2.0)``, or an instance of a class
        of your own with ``value`` and ``slope``, or with ``value_and_slopes`` for several classes at once.
    optimizer : "auto", "newton", str or part, default "auto"
        The name of one of :mod:`fastgd.optimizers`, or e.g. ``fastgd.optimizers.Adam(beta1=0.8)``, or your own. "auto"
        with an automatic rate takes quasi-Newton steps on the full batch of a smooth loss, an interior point where the
        loss is made of lines, and stages of averaged steps on batches (see Notes). Where none of them applies it is
        "momentum" on the full batch of a smooth loss, else "adam", or "sgd" in batches of sparse rows with 1,024
        columns or more; with a given rate it is "sgd". "newton" asks for those quasi-Newton steps, or the interior
        point, by name: where neither suits, it is an error that says why.
    learning_rate : "auto", float, str or part, default "auto"
        A number is constant; the name of one of :mod:`fastgd.schedules`, or e.g. ``fastgd.schedules.Cosine(0.1)``, or
        your own, changes with the step. Durations are in epochs. "auto" needs none on the full batch: steps of the
        methods in Notes are whole, or shorter where the loss would rise. Stages adjust their own rate. For any other
        optimizer the rate follows from the curvature of the data, and a run whose loss still ends above its start
        restarts with a tenth of it.
    batch_size : "auto", "full", int or None, default "auto"
        Rows a step; "auto", "full" and None are all of them. Larger than n means n.
    alpha : float, default 0.0
        Strength of the penalty.
    l1_ratio : float, default 0.0
        The share of L1, in [0, 1]: 0 is ridge, 1 is lasso.
    penalty_factor : array-like (d,) or None, default None
        What multiplies ``alpha`` for each column, of L1 and L2 alike: finite numbers of at least 0, where 0 is no
        penalty at all and None is 1 for all (glmnet's ``penalty.factor``). They are taken as they are: glmnet scales
        them so that they add up to the number of columns.
    bounds : (low, high), scipy.optimize.Bounds or None, default None
        Limits of the coefficients, in the units of the columns: numbers, arrays (d,) or None for no limit.
    fit_intercept : bool, default True
    standardize : "auto", "scale" or bool, default "auto"
        Centre (with an intercept only) and scale the columns as they are read, without a copy; the penalty then acts
        on the scaled coefficients, as behind a StandardScaler, and the results are in the user's units. "scale" does
        not centre, and is what True means for sparse rows, which centring would fill. "auto" is True with an automatic
        rate on dense columns, and False on sparse rows and with a given rate: the penalty then acts on the columns as
        they are. That does not depend on the optimizer, the batch or the number of columns.
    sample_weight : array-like (n,) or None, default None
        Weights of the rows, zero or more; integer weights mean repeated rows.
    offset : array-like (n,) or None, default None
        A known number that is added to the score of each row: the logarithm of the exposure for "poisson", "gamma" and
        "tweedie". Predictions of the model then need an offset too. Not for "multinomial".
    epochs : "auto" or int, default "auto"
        Passes over the data, on the full batch steps over all rows: exactly so many, unless ``max_steps``, ``tol`` or
        the callback ends the run. The first quasi-Newton step and the first interior point come after steps on samples
        of the rows, which are not counted. "auto" is at most 1000 on the full batch (100 interior points, 30 from 1,024
        columns on) and 20 on batches; in stages as many as half a million rows make, where these are more, and at most
        10,000.
    max_steps : int or None, default None
        The largest number of steps.
    tol : "auto", float or None, default "auto"
        End when the loss is zero to rounding; with quasi-Newton steps, when the decrease still possible is
        below ``tol * loss``, as ``history.decrement`` has it, and with interior points when the duality gap is,
        relative to the loss without outliers; in stages, when two in a row decrease the objective by less than this
        share of itself. Other runs end when the loss decreases by less than that, ``patience`` epochs in a row and over
        the last half of all epochs together; on the full batch of a smooth loss the gradient must have decreased as
        far, so that neither a rate too small nor an oscillation ends a run. None: the loss never ends the run. "auto"
        is None where ``epochs`` or ``max_steps`` is given, else 1e-6 on the full batch (1e-4 with interior points from
        1,024 columns on) and 1e-4 on batches.
    shuffle : "block", "full", "replacement" or bool, default "block"
        Row order of each epoch: blocks of rows and the rows within a window of blocks; a full shuffle; each batch
        drawn afresh (distinct rows within it); False is the data's own order, True the default. It depends on the seed
        and the epoch alone. Of a source in files, "block" and "full" shuffle the rows of one buffer after another (see
        Notes), "full" as fully as a buffer allows; "replacement", which draws from all rows, is an error.
    validation : float, (X, y), (X, y, sample_weight), (X, y, sample_weight, offset) or None, default None
        A share of the rows, drawn at random (of two classes, of each), or data of their own, to be held out. Their loss
        is measured after each epoch; when it has not fallen (by ``tol``, where given) for ``patience`` epochs, the run
        ends "early_stopped". The result has the weights of the best epoch. With ``offset``, data of their own need one.
        On the full batch, epochs in which the training loss rises don't count, and momentum is given
        ``patience / (1 - beta)`` epochs.
    patience : int, default 5
        Epochs without a decrease of the loss that end a run: see ``tol`` and ``validation``.
    evaluate : bool, default False
        Record the objective on the whole data after each epoch (one more pass) in ``history.objective``.
    average : bool or int, default False
        Return (and evaluate and validate) the mean of the weights after each step, not the last ones (Polyak and
        Juditsky 1992): from the first step, or from the step of this number on.
    bootstrap : int, default 0
        How many replicates of the model to fit in the same passes, each with rows weighted by Poisson(1) counts hashed
        from the seed (Chamandy et al. 2012). The result then has ``coef_std`` and ``coef_interval``. 200 give a
        standard error to about 5 %; intervals need 1000 or more.
    lazy : bool, default False
        For sparse rows in batches. Steps on rows that have no number in a column still move its weight (penalty,
        momentum). With False these moves are made exactly, but only when the column next occurs, for "sgd" with any
        penalty, "adagrad" (with L2 at a constant rate), and, without a penalty, "momentum" and "nesterov" (``average``
        with "sgd" and L2 at most). Other optimizers move all columns at every step, with a warning where these are
        many. True moves the columns of the batch alone: the running means of the others do not change meanwhile, as in
        PyTorch's SparseAdam, and penalties act on a weight when it moves. That is another path, to about the same
        optimum. For many models at once (several targets, bootstrap, a sweep) the exact postponed moves exist for "sgd"
        without ``average`` and "adagrad" without a penalty.
    parallel : None or "hogwild", default None
        "hogwild" lets ``n_threads`` threads take the steps of batches of sparse rows at once without locks (after
        Recht, Re, Wright and Niu 2011): each on its own copy of the weights, merged after every slice of work, as
        threads on the very same weights wait for each other's caches. For one model, with "sgd" or "adagrad", without a
        penalty or with ``lazy=True``. The model depends on ``n_threads`` and differs from that of one thread.
    random_state : int, NumPy generator or None, default None
        Seed of the row order, of the rows that ``validation`` draws and of ``bootstrap``. The samples of full-batch
        fits do not depend on it.
    n_threads : int or None, default None
        Threads for full-batch passes, and for the batches of many lanes; the result has the same bits for any number.
        None: as many as this process may use.
    callback : callable or None, default None
        Called after each epoch with a progress object (``epoch``, ``n_steps``, ``loss``, ``learning_rate``,
        ``seconds``, ``objective``, ``validation_loss``); True ends the run, None
        and False don't.
    verbose : int, default 0
        1 prints what was chosen, as ``choices`` of the result have it, and shows a progress bar (tqdm); both go to
        stderr. ``sweep`` prints those of the first setting of each pass, ``partial_fit`` those of the first chunk. -1
        leaves out the line that tells, on a terminal or in a notebook, that kernels are being compiled, and the
        warning, elsewhere, that they are in each process anew.
    start : FitResult, path, (coef, intercept) or None, default None
        The first weights, in the units of the columns: those of a result, of the file of one, or coefficients (d,) and
        an intercept, (m, d) and (m,) for m targets or classes. All else is as in a new fit. None starts at the best
        constant.
    resume : FitResult, str, path or None, default None
        A result, or the file of one (:meth:`FitResult.save`), to go on from: to the last bit as if its run had never
        stopped. ``epochs``, ``max_steps``, ``tol``, ``patience``, ``evaluate``, ``n_threads``, ``callback`` and
        ``verbose`` may change; another setting, or data of another shape, type or names, are an error. The numbers in
        the data are not compared. ``epochs`` counts those behind the run too. A run on batches of sparse rows with a
        penalty or momentum that ``max_steps`` ended inside an epoch goes on with the same numbers to rounding only.
    engine : None, "dask" or engine, default None
        Where the rows of a source are worked on: None is here, "dask" the cluster of the default client of Dask, or
        that of ``fastgd.engines.Dask(client)``. The model has the same bits.

    Returns
    -------
    FitResult
        ``coef``, ``intercept``, ``predict``, ``predict_proba``, ``loss``, ``objective(X, y)``, ``status``, ``message``,
        ``options``, ``choices``, ``history``, ``plot()``, ``save``; with ``bootstrap`` also ``coef_std``,
        ``coef_interval()``, ``replicates``.

    Warns
    -----
    fastgd.DivergenceWarning
        Where the run ends "diverged".

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what was given and what to do. NaN and infinity in ``X`` are found by the passes
        themselves.

    Notes
    -----
    Where ``optimizer`` and ``learning_rate`` are "auto" and ``average`` is False, the full batch has two methods.

    Smooth losses: quasi-Newton steps, on samples of the rows first, which grow until they are all rows. A step is that
    of L-BFGS (Liu and Nocedal 1989), whose first matrix is the inverse of second derivatives summed over some of the
    rows: a whole matrix for fewer than 1,024 dense or 128 sparse columns, else its diagonal and the constant's row and
    column; of up to 2,047 columns also a matrix, once steps by the diagonal have cost as much. With L1 or bounds the
    minimum of this model is found by coordinate descent (Friedman, Hastie and Tibshirani 2010), of many columns on a
    working set (Massias et al. 2018). A step is shortened until the objective decreases by a ten-thousandth of what its
    slope predicts (Armijo 1966). Squares are minimised on one Gram matrix where that costs less. The run ends when the
    decrease still possible is below ``tol`` times the loss. This is for losses with a method ``second_derivative``, and
    for joint ones.

    Losses that are made of lines ("hinge", "absolute_error", "quantile", "epsilon_insensitive"), without L1 and bounds:
    a primal-dual interior point (Mehrotra 1992) on the rows near the kinks, which samples have found, ended by the
    duality gap (after Portnoy and Koenker 1997); from 1,024 columns on, Newton's steps on the smoothed loss by
    conjugate gradients, ended by a gap, too. With a penalty, at most 2,048 dense rows that are no more than the columns
    are solved by the dual problem on their products: coordinate steps (Hsieh et al. 2008) and linear systems.

    Other losses with kinks, and these with L1 or bounds: quasi-Newton steps. The loss is smoothed within a width that
    becomes narrower as the run goes on, and rows outside of it get a part of the second derivative of a parabola that
    touches the loss there (after Hunter and Lange 2000). This is for up to 1023 columns and losses with a method
    ``second_derivative``: not for "perceptron".

    With smaller batches, steps are taken in stages: implicit in each row's score (Toulis and Airoldi 2017), in
    coordinates whitened by the Hessian, and averaged (Shamir and Zhang 2013). This is for up to 200 columns and one
    model without a penalty, bounds, ``validation`` or ``bootstrap``. ``choices["solver"]`` of the result names the
    method, and says why those before it do not suit. The documentation has a page, "What 'auto' does", with every step.

    Batches of a source in files: an epoch's rows come in buffers of about 64 MB, the next of which is read while steps
    are taken on one, and each has its share of all parts of the source, drawn anew for each epoch. Where rows are read
    anywhere at the same cost (.npy files, ``source.cached(folder)``), these are runs of 32 KB, and steps are as good as
    on an array shuffled by "block". Shards that can only be read from their beginning, as row groups of Parquet, are
    read up to 8 at a time; a warning says where the targets differ from buffer to buffer, so that steps follow the
    order of the files: by 1 % of their variance, and in stages, which come closer to the optimum, by 0.01 %. Batches
    and their bits are those of an array whose rows have the same order: with ``shuffle=False`` the source's own. A run
    goes on from its state, in the middle of an epoch too, on a source of the same shards.

    Ctrl-C ends a run within a slice of work (about 10 ms), with status "interrupted" and the last finite weights. While
    the data are still being checked and measured, before the first step, it is raised, and while a kernel is compiled
    it waits. A diverging run returns its last finite weights too.

    Examples
    --------
    >>> import numpy as np
    >>> import fastgd
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> r = fastgd.fit(X, np.array([1.0, 3.0, 5.0, 7.0]))
    >>> r.coef.round(3), round(r.intercept, 3)
    (array([2.]), 1.0)
    """
    return warn_of_divergence(fit_by(COMPILED, X, y, options))


fit.__signature__ = signature_of(fit)


def fit_by(backend, X, y, given):
    """The result of a fit by a backend: the compiled one, or NumPy."""
    choice, plan = planned(backend, X, y, given)
    if choice.options.verbose > 0:
        print_choices(choice.words)
    try:
        outcomes = train(with_checkpoints(choice, plan))
        result = report(choice, plan, 0, outcomes[0])
    finally:
        let_go(plan.data.rows)
    return with_replicates(result, choice, outcomes[1:]) if outcomes[1:] else result


def planned(backend, X, y, given):
    """The choice and the plan for the options of a fit, a dict."""
    X, y, given = placed(X, y, given)
    options = FitOptions.checked(given)
    if options.resume is not None and options.bootstrap:
        raise ValueError("resume goes on with one model, without the replicates of bootstrap: leave one of them out.")
    choice = Choices(backend, shared=False).of(X, y, options, start_of(options), given)
    return choice, plan_of([choice], replicates(choice))


def replicates(choice):
    """The model of a choice, and one for each of its bootstrap replicates."""
    if not choice.options.bootstrap:
        return [choice.model]
    return [choice.model, *(choice.model.of_other_rows(replicate=b) for b in range(choice.options.bootstrap))]
