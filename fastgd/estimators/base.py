"""The fits and chunks that scikit-learn's two SGD classes share: from checked data to fitted attributes."""

import functools
import warnings
from abc import ABC, abstractmethod

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from ..inputs.numeric import in_memory
from ..inputs.scaling import Scaling
from ..linear.chunks import FirstChunk, NextChunk, WarmChunk
from ..linear.partial_fit import weightless
from ..linear.requests import Request, fit_chunk, fit_request
from ..linear.start import Fresh, Warm
from ..results.moments import stacked
from ..sources.base import Source
from ..sources.rows import SourceRows
from ..wording import level_outside
from . import from_sources
from .divergence import warn_of_chunk, warn_of_fits
from .parameters import TOL, Parameters, takes_all
from .sklearn_rules import PASSIVE_AGGRESSIVE, EpochRule, ShuffledOrder, held_out_rows, random_draws
from .training_data import checked_sparse, checked_weight, of_model

AVERAGED = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")
# Parameters that may change between chunks without beginning another stream.
MAY_CHANGE = ("random_state", "verbose", "n_jobs", "warm_start", "max_iter", "tol", "class_weight")
NOT_CONVERGED = (
    "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve the fit."
)
OVERFLOW = (
    "Floating-point under-/overflow occurred at epoch #{}. Scaling input data with StandardScaler or MinMaxScaler "
    "might help."
)
NEGATIVE_POWER = (
    "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10. Use values in the "
    "range [0.0, inf) instead."
)


def all_or_nothing(method):
    """A decorator of methods that leave their object unchanged when they fail or are interrupted."""

    @functools.wraps(method)
    def changed(self, *arguments, **options):
        before = vars(self).copy()
        try:
            return method(self, *arguments, **options)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return changed


class SGD(SparseCoefMixin, Parameters, ABC):
    """What SGDRegressor and SGDClassifier share; each says what its targets and its scores are."""

    _single_target = None  # of a regressor whether y was (n,), so that ``coef_`` is (d,)
    _known_scores = None  # (X, the linear scores of these very rows), while SweepCV scores many models on the same rows

    @abstractmethod
    def _training_data(self, X, y, sample_weight):
        """The checked ``TrainingData``; features and classes are learned anew."""

    @abstractmethod
    def _held_out_score(self, scores, y, weight):
        """The score of the linear scores of held-out rows; larger is better."""

    @all_or_nothing
    def fit(self, X, y=None, coef_init=None, intercept_init=None, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array-like or CSR matrix (n, d), or one of :mod:`fastgd.sources`
            A source holds its targets and weights. A large one is read again for each pass; its rows are in no order of
            scikit-learn's, but shuffled as :func:`fastgd.fit` does.
        y : array-like (n,)
            Labels or targets; of a regressor also (n, m). None with a source.
        coef_init : array-like or None, default None
            Coefficients to begin with; of the shape of ``coef_``.
        intercept_init : array-like or None, default None
        sample_weight : array-like (n,) or None, default None

        Returns
        -------
        self
        """
        self._check_parameters()
        data = self._training_data(X, y, sample_weight)
        requests = self._fit_requests(data, self._start(coef_init, intercept_init, data))
        results = Parallel(n_jobs=getattr(self, "n_jobs", None), require="sharedmem")(
            delayed(run)(request) for request in requests
        )
        return self._set_fitted_attributes([result for found in results for result in found], data.X)

    # Data in ----------------------------------------------------------------------------------------------------------

    def _validated(self, X, y, sample_weight, reset, **target):
        """The rows, targets and weights, checked as scikit-learn does."""
        kinds = {"accept_sparse": "csr", "accept_large_sparse": True, "dtype": [np.float64, np.float32], "order": "C"}
        source = X if isinstance(X, Source) else None
        if source is not None:
            X, y, sample_weight = from_sources.rows_to_fit(source, y, sample_weight)
        in_memory("y", y)
        if isinstance(X, SourceRows):
            y = from_sources.checked_targets(y, **target)
        else:
            try:
                X, y = validate_data(self, checked_sparse(X), y, reset=reset, **kinds, **target)
            except OverflowError:
                raise ValueError("X or y holds a number too large for float64.") from None
        if source is not None:
            from_sources.learn_columns(self, source)
        if sample_weight is not None:
            # Where all weights are zero, the split of early stopping has the better message.
            sample_weight = checked_weight(sample_weight, X, all_zero=self.early_stopping)
        return X, y, sample_weight

    def _start(self, coef_init, intercept_init, data):
        """The coefficients (models, d) and intercepts (models,) to begin with, or None and None."""
        models, d = data.models, data.X.shape[1]
        if self.warm_start and getattr(self, "coef_", None) is not None:
            self.densify()
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        if coef_init is None and intercept_init is None:
            return None, None
        start = []
        for name, given, shape in (("coef", coef_init, (models, d)), ("intercept", intercept_init, (models,))):
            array = np.zeros(shape) if given is None else np.asarray(given, dtype=np.float64)
            if array.shape != shape and not (models == 1 and array.size == np.prod(shape)):
                raise ValueError(f"Provided {name}_init does not match dataset: {array.shape}, not {shape}.")
            if not np.isfinite(array).all():
                raise ValueError("coef_init and intercept_init must be finite.")
            start.append(array.reshape(shape).copy())
        return start

    # Requests: what is asked of fastgd.fit ----------------------------------------------------------------------------

    def _fit_requests(self, data, start):
        """The fits that make the model."""
        options, decay = self._options()
        options |= self._batches(options, data.X)

        def hold_out():
            if not self.early_stopping:
                return None
            by = data.y if data.labels is None else data.labels
            fraction, stratified = self.validation_fraction, data.labels is not None
            return held_out_rows(by, data.weight, fraction, self.random_state, stratified)

        mask, seeds = random_draws(self.random_state, hold_out, None if data.labels is None else data.models)
        n, trained, held = data.X.shape[0], None, None
        if mask is not None:
            trained, held, data = ~mask, data.rows(mask), data.rows(~mask)
        options = options | {"epochs": self._epochs(options, n), "tol": self._tolerance(options)}
        options["patience"] = self.n_iter_no_change
        ordered = self._sklearn_order(options, data.X)

        def request(model):
            seed = seeds[(model or 0) % len(seeds)]
            y, weight = data.of(model)
            return Request(
                X=data.X,
                y=y,
                options={**options, "sample_weight": weight, "random_state": seed},
                classes=data.codes,
                scale_weights=self._automatic or takes_all(options["batch_size"]),
                start=Fresh() if start[0] is None else Warm(*(of_model(one, model) for one in start)),
                single_targets=y.ndim == 2,
                order=ShuffledOrder(seed, n, trained) if ordered else None,
                rule=self._rule(options, decay, held and (held.X, *held.of(model))),
                names=self._names,
            )

        # scikit-learn gives each class a row order of its own: 10 classes took 0.32 s, and 0.25 s as lanes of one order
        # (1e5 x 50, one thread; scikit-learn 1.1 s).
        each = ordered and data.y.ndim == 2 and len(seeds) > 1
        return map(request, range(len(seeds)) if each else data.separate_models(options))

    def _sklearn_order(self, options, X):
        """Whether the order of the rows is scikit-learn's: not of a source, whose rows are not read one by one."""
        shuffled = self.shuffle is True and options["shuffle"] == "full" and not isinstance(X, SourceRows)
        return shuffled and not takes_all(options["batch_size"])

    @property
    def _names(self):
        """The names of the columns, or None."""
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else tuple(names.tolist())

    def _rule(self, options, decay, held):
        """A function that makes the stopping rule of a model; None where fit's own rule holds.

        ``held`` are the held-out rows, targets and weights, or None.
        """
        if self._automatic and held is None:
            return None
        # Losses of the full batch include fit's own penalty.
        shown = 0.0 if takes_all(options["batch_size"]) else options["alpha"]
        l1, l2 = shown * options["l1_ratio"], decay + shown * (1.0 - options["l1_ratio"])
        if self._schedule in PASSIVE_AGGRESSIVE:
            l1, l2 = 0.0, 0.0
        tol = TOL if self.tol == "auto" else self.tol
        adaptive = self.eta0 if self._schedule == "adaptive" else None

        def rule(choice, model):
            def score(weights):
                coef, intercept = in_user_units(weights, choice.scaling, model.centre)
                X, y, weight = held
                y = y if y.ndim == 1 or len(coef) > 1 else y[:, model.target]
                return self._held_out_score(from_sources.products(X, coef) + intercept, y, weight)

            strengths = l1, l2, choice.penalty_factor
            return EpochRule(tol, self.n_iter_no_change, adaptive, *strengths, score if held else None)

        return rule

    # Chunks -----------------------------------------------------------------------------------------------------------

    def _begin_chunk(self):
        """Check the parameters; whether this is the first chunk of a model that was not fitted."""
        first = getattr(self, "coef_", None) is None
        self._check_parameters(one_pass=first)
        return first

    def _weightless(self, X, y, sample_weight):
        """Whether all weights are zero, so that a chunk has nothing to say; its rows are checked all the same."""
        if sample_weight is None or not weightless(sample_weight):
            return False
        self._validated(X, y, np.ones_like(sample_weight, np.float64), reset=not hasattr(self, "n_features_in_"))
        return True

    def _one_pass(self, data):
        """Train on one chunk: go on with the streams that made the model, or begin new ones at its weights."""
        options, _ = self._options()
        settled = {name: value for name, value in self.get_params(False).items() if name not in MAY_CHANGE}
        models = list(data.separate_models(options))
        key = repr(settled), data.X.dtype.name, from_sources.is_sparse(data.X), data.X.shape[1], len(models)
        streams, weights = getattr(self, "_stream", None), None
        if getattr(self, "coef_", None) is not None:
            self.densify()
            here = streams is not None and streams[0] == key and np.array_equal(streams[2], self.coef_)
            streams = streams if here and np.array_equal(streams[3], self.intercept_) else None
            weights = self._present_weights()
        seed = random_draws(self.random_state, lambda: None, None if data.labels is None else data.models)[1][0]
        rows = ShuffledOrder(seed, data.X.shape[0])(0) if self._sklearn_order(options, data.X) else None
        options["random_state"] = None if streams else seed
        results, behind = [], getattr(self, "_moments", None)
        for k, model in enumerate(models):
            y, weight = data.of(model)
            before = streams and streams[1][k]
            request = Request(
                X=data.X,
                y=y,
                options={**options, "sample_weight": weight},
                classes=data.codes,
                scale_weights=False,
                start=NextChunk(before, "r") if before else self._first_chunk(weights, model, behind),
                order=None if rows is None else lambda epoch: rows,
                names=self._names,
            )
            results += uninterrupted([fit_chunk(request, before)])
        self._set_results(results, data.X.dtype)
        self._moments = stacked([result.state.moments for result in results])
        warn_of_chunk(results, streams and streams[1])
        self.n_iter_, self.t_ = 1, getattr(self, "t_", 1.0) + data.X.shape[0]
        self._stream = key, results, self.coef_.copy(), self.intercept_.copy()
        return self

    def _present_weights(self):
        """The coefficients, intercepts, averages of both (or None) and steps that a stream starts with."""
        models = np.size(self.intercept_)
        coef, intercept, averages = self.coef_, self.intercept_, None
        if self.average and hasattr(self, "_average_coef"):
            coef, intercept = self._standard_coef, self._standard_intercept
            averages = self._average_coef.reshape(models, -1), self._average_intercept
        coef = np.asarray(coef, np.float64).reshape(models, -1)
        intercept = np.asarray(intercept, np.float64).reshape(models)
        return coef, intercept, averages, int(self.t_ - 1) if self._batch == 1 else self._n_steps

    @staticmethod
    def _first_chunk(weights, model, behind):
        """Where a stream starts: fresh, or at the present weights of a model of rows with the moments ``behind``."""
        if weights is None:
            return FirstChunk()
        coef, intercept, averages, steps = weights
        averages = averages and [of_model(one, model) for one in averages]
        behind = behind and behind.target(model)
        return WarmChunk(of_model(coef, model), of_model(intercept, model), averages, steps, behind)

    # Fitted attributes ------------------------------------------------------------------------------------------------

    def _set_fitted_attributes(self, results, X):
        """Set the attributes of a fit to the rows ``X`` that gave these results."""
        self._set_results(results, X.dtype)
        self.t_ = 1.0 + self.n_iter_ * X.shape[0]
        self._stream, self._moments = None, stacked([result.state.moments for result in results])
        self._warn(results)
        return self

    def _set_results(self, results, dtype):
        """Set what results say."""
        for result in results:
            if not (result.state.finite or self._automatic):
                raise ValueError(OVERFLOW.format(result.n_epochs + 1))
        self.n_iter_, self._n_steps = max(r.n_epochs for r in results), max(r.n_steps for r in results)
        self.choices_ = results[0].choices
        # The mean over the models; one that ended earlier than others keeps its last loss.
        curves = [np.pad(c, (0, self.n_iter_ - c.size), "edge") for c in (r.history.loss for r in results) if c.size]
        self.loss_curve_ = np.mean(curves, axis=0) if curves else np.empty(0)
        coef = np.concatenate([np.atleast_2d(result.coef) for result in results]).astype(dtype)
        self.coef_ = coef[0] if self._single_target else coef
        # Not in the type of the rows: 3e8 + 1 is 3e8 in float32.
        self.intercept_ = np.concatenate([np.atleast_1d(result.intercept) for result in results])
        for name in AVERAGED:
            vars(self).pop(name, None)
        if not self.average:
            return
        for kind, name in (("standard", "weights"), ("average", "averages")):
            found = [state_weights(result.state, name) for result in results]
            setattr(self, f"_{kind}_coef", np.concatenate([coef for coef, _ in found]))
            setattr(self, f"_{kind}_intercept", np.concatenate([intercept for _, intercept in found]))

    def _warn(self, results):
        """Warn of a fit that did not converge, or that has no optimum, and of parameters that are deprecated."""
        unfinished = self.n_iter_ == self.max_iter
        for message in dict.fromkeys(result.message for result in results if "separation" in result.choices):
            warnings.warn(message, ConvergenceWarning, stacklevel=level_outside())
        if self._automatic:
            unfinished = any(r.status == "max_epochs" and r.n_epochs == self.max_iter for r in results)
        warn_of_fits(results)
        if unfinished and self.tol is not None:
            warnings.warn(NOT_CONVERGED, ConvergenceWarning, stacklevel=level_outside())
        if self.power_t < 0:
            warnings.warn(NEGATIVE_POWER, FutureWarning, stacklevel=level_outside())

    def _linear_scores(self, X):
        """The linear scores (n,), or (n, models) of more than one."""
        check_is_fitted(self)
        if self._known_scores is not None and self._known_scores[0] is X:
            return self._known_scores[1].copy()
        X = validate_data(self, checked_sparse(X), accept_sparse="csr", reset=False)
        coef = self.coef_.toarray() if issparse(self.coef_) else self.coef_
        return self._shaped(from_sources.products(X, coef.reshape(-1, X.shape[1])) + self.intercept_)

    def _answers(self, X, answer):
        """The answers to the linear scores of rows; of a source an iterator of them."""
        return from_sources.answers(self, X, answer) if self._is_read(X) else answer(self._linear_scores(X))

    def _is_read(self, X):
        """Whether rows are those of a source whose scores are not known."""
        return isinstance(X, Source) and not (self._known_scores is not None and self._known_scores[0] is X)

    def _shaped(self, scores):
        """The linear scores (n, models) in the user's shape."""
        flat = scores.shape[1] == 1 if self._single_target is None else self._single_target
        return scores.reshape(-1) if flat else scores

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


# All calls into ``fastgd.linear`` are these two.


def run(request):
    """The results of a fit, one for each of its models."""
    return uninterrupted(fit_request(request))


def uninterrupted(results):
    """The results; an interrupted one raises KeyboardInterrupt, so that no other fit begins."""
    if any(result.status == "interrupted" for result in results):
        raise KeyboardInterrupt
    return results


def state_weights(state, name):
    """The weights or averages of a result's state, in the user's units."""
    scaling, centre = Scaling(state.shift, state.inverse_scale), np.array(state.centre)
    return in_user_units(getattr(state.solver, name), scaling, centre)


def in_user_units(weights, scaling, centre):
    """Coefficients and intercepts in the user's units."""
    with np.errstate(all="ignore"):
        coef, intercept = scaling.to_user(weights)
        return coef, intercept + centre
