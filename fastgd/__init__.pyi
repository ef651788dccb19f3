"""Written by ``python docs/tables.py``."""

from ._types import AnyLoss, AnyOptimizer, Bounds, Callback, Engine, Folds, Gradient, MinimizeRun, Parameters, PerParameter, Rate, Rows, RunOf, Scoring, Seed, Shuffle, Start, Validation, Values
from .sources.base import Source
from collections.abc import Callable, Mapping, Sequence
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import GridSearchCV
from typing import Any, Literal, Self, overload
from . import engines as engines
from . import losses as losses
from . import optimizers as optimizers
from . import reference as reference
from . import schedules as schedules
from . import sources as sources
from .config import show_config as show_config
from .config import warmup as warmup
from .results.divergence import DivergenceWarning as DivergenceWarning
from .results.fit_result import FitResult as FitResult
from .results.history import History as History
from .results.loading import load as load
from .results.lr_find import LrFind as LrFind
from .results.minimize_result import MinimizeResult as MinimizeResult
from .results.sweep_results import CrossValidation as CrossValidation
from .results.sweep_results import SweepResult as SweepResult

__all__ = ["CrossValidation", "DivergenceWarning", "FitResult", "History", "LrFind", "MinimizeResult", "SGDClassifier", "SGDRegressor", "SweepCV", "SweepResult", "engines", "fit", "load", "local_sgd", "losses", "lr_find", "minimize", "minimize_sweep", "optimizers", "partial_fit", "reference", "schedules", "show_config", "sources", "sweep", "warmup"]
__version__: str

def __dir__() -> list[str]: ...

def fit(
    X: Rows,
    y: ArrayLike | None = None,
    *,
    loss: AnyLoss = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
    learning_rate: Rate | Literal['auto'] = "auto",
    batch_size: int | Literal['auto', 'full'] | None = "auto",
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    epochs: int | Literal['auto'] = "auto",
    max_steps: int | None = None,
    tol: float | Literal['auto'] | None = "auto",
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    evaluate: bool = False,
    average: bool | int = False,
    bootstrap: int = 0,
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    start: Start | None = None,
    resume: RunOf | None = None,
    engine: Engine | None = None,
) -> FitResult: ...

@overload
def lr_find(
    X: Rows,
    y: ArrayLike | None = None,
    grad: None = None,
    *,
    start: float | Literal['auto'] = "auto",
    stop: float | Literal['auto'] = "auto",
    num: int = 100,
    loss: AnyLoss = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
    batch_size: int | Literal['auto', 'full'] | None = "auto",
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    shuffle: Shuffle = "block",
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None = None,
    n_threads: int | None = None,
    verbose: int = 0,
    engine: Engine | None = None,
) -> LrFind: ...
@overload
def lr_find(
    X: Callable[..., Any],
    y: Parameters,
    grad: Gradient | None = None,
    *,
    start: float | Literal['auto'] = "auto",
    stop: float | Literal['auto'] = "auto",
    num: int = 100,
    batch_size: int | None = None,
    shuffle: Shuffle = "block",
    clip_norm: float | None = None,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: PerParameter | None = None,
    bounds: tuple[PerParameter | None, PerParameter | None] | None = None,
    random_state: Seed | None = None,
    jac: Gradient | None = None,
    check_gradient: bool = True,
    compile: bool = False,
    optimizer: AnyOptimizer = "sgd",
    verbose: int = 0,
    data: Any,
) -> LrFind: ...

def local_sgd(
    source: Source,
    *,
    engine: Engine = "dask",
    parts: int = 16,
    rounds: int = 1,
    classes: ArrayLike | None = None,
    loss: AnyLoss = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
    learning_rate: Rate | Literal['auto'] = "auto",
    batch_size: int | Literal['auto', 'full'] | None = "auto",
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    shuffle: Shuffle = False,
    average: bool | int = False,
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None = None,
    n_threads: int | None = None,
    verbose: int = 0,
) -> FitResult: ...

def minimize(
    fun: Callable[..., Any],
    x0: Parameters,
    grad: Gradient | None = None,
    *,
    jac: Gradient | None = None,
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    optimizer: AnyOptimizer = "sgd",
    learning_rate: Rate = 0.1,
    clip_norm: float | None = None,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: PerParameter | None = None,
    bounds: tuple[PerParameter | None, PerParameter | None] | None = None,
    average: bool | int = False,
    max_iter: int | None = None,
    tol: float | None = None,
    history: bool = True,
    random_state: Seed | None = None,
    check_gradient: bool = True,
    compile: bool = False,
    callback: Callback | None = None,
    verbose: int = 0,
    resume: MinimizeRun | None = None,
) -> MinimizeResult: ...

def minimize_sweep(
    fun: Callable[..., Any],
    x0: Parameters,
    grad: Gradient | None = None,
    *,
    jac: Gradient | None = None,
    data: Any = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    learning_rate: Rate | Values[Rate] = 0.1,
    optimizer: AnyOptimizer | Values[AnyOptimizer] = "sgd",
    clip_norm: float | None = None,
    alpha: float | Values[float] = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: PerParameter | None = None,
    bounds: tuple[PerParameter | None, PerParameter | None] | None = None,
    average: bool | int = False,
    product: bool = True,
    max_iter: int | None = None,
    tol: float | None = None,
    history: bool = True,
    random_state: Seed | Values[Seed] | None = None,
    check_gradient: bool = True,
    compile: bool = False,
    callback: Callback | None = None,
    verbose: int = 0,
) -> SweepResult[MinimizeResult]: ...

def partial_fit(
    X: Rows,
    y: ArrayLike | None = None,
    r: RunOf | None = None,
    classes: ArrayLike | None = None,
    *,
    loss: AnyLoss = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
    learning_rate: Rate | Literal['auto'] = "auto",
    batch_size: int | Literal['auto', 'full'] | None = "auto",
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    shuffle: Shuffle = False,
    average: bool | int = False,
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    start: Start | None = None,
) -> FitResult: ...

@overload
def sweep(
    X: Rows,
    y: ArrayLike | None = None,
    *,
    product: bool = True,
    cv: None = None,
    groups: ArrayLike | None = None,
    scoring: Scoring | None = None,
    refit: bool | Literal['simplest'] = False,
    keep: Literal['halving'] | Sequence[int] | None = None,
    loss: AnyLoss | Values[AnyLoss] = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] | Values[AnyOptimizer | Literal['auto', 'newton']] = "auto",
    learning_rate: Rate | Literal['auto'] | Values[Rate | Literal['auto']] = "auto",
    batch_size: int | Literal['auto', 'full'] | None | Values[int | Literal['auto', 'full'] | None] = "auto",
    alpha: float | Values[float] = 0.0,
    l1_ratio: float | Values[float] = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None | Values[Bounds | None] = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    epochs: int | Literal['auto'] = "auto",
    max_steps: int | None = None,
    tol: float | Literal['auto'] | None = "auto",
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    evaluate: bool = False,
    average: bool | int = False,
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None | Values[Seed | None] = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    start: Start | None = None,
    engine: Engine | None = None,
) -> SweepResult[FitResult]: ...
@overload
def sweep(
    X: Rows,
    y: ArrayLike | None = None,
    *,
    product: bool = True,
    cv: Folds,
    groups: ArrayLike | None = None,
    scoring: Scoring | None = None,
    refit: bool | Literal['simplest'] = False,
    keep: Literal['halving'] | Sequence[int] | None = None,
    loss: AnyLoss | Values[AnyLoss] = "squared_error",
    optimizer: AnyOptimizer | Literal['auto', 'newton'] | Values[AnyOptimizer | Literal['auto', 'newton']] = "auto",
    learning_rate: Rate | Literal['auto'] | Values[Rate | Literal['auto']] = "auto",
    batch_size: int | Literal['auto', 'full'] | None | Values[int | Literal['auto', 'full'] | None] = "auto",
    alpha: float | Values[float] = 0.0,
    l1_ratio: float | Values[float] = 0.0,
    penalty_factor: ArrayLike | None = None,
    bounds: Bounds | None | Values[Bounds | None] = None,
    fit_intercept: bool = True,
    standardize: bool | Literal['auto', 'scale'] = "auto",
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    epochs: int | Literal['auto'] = "auto",
    max_steps: int | None = None,
    tol: float | Literal['auto'] | None = "auto",
    shuffle: Shuffle = "block",
    validation: Validation | None = None,
    patience: int = 5,
    evaluate: bool = False,
    average: bool | int = False,
    lazy: bool = False,
    parallel: Literal['hogwild'] | None = None,
    random_state: Seed | None | Values[Seed | None] = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    verbose: int = 0,
    start: Start | None = None,
    engine: Engine | None = None,
) -> CrossValidation: ...

class SGDRegressor(RegressorMixin, BaseEstimator):
    loss: AnyLoss
    penalty: Literal['l2', 'l1', 'elasticnet'] | None
    alpha: float
    l1_ratio: float | None
    fit_intercept: bool
    max_iter: int
    tol: float | Literal['auto'] | None
    shuffle: Shuffle
    verbose: int
    epsilon: float
    random_state: int | np.random.RandomState | None
    learning_rate: Rate | Literal['auto']
    eta0: float
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: bool | int
    optimizer: AnyOptimizer | Literal['auto', 'newton']
    momentum: float | None
    batch_size: int | Literal['auto'] | None
    standardize: bool | Literal['auto', 'scale']
    penalty_factor: ArrayLike | None
    bounds: Bounds | None
    def __init__(
        self,
        loss: AnyLoss = "squared_error",
        *,
        penalty: Literal['l2', 'l1', 'elasticnet'] | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | Literal['auto'] | None = "auto",
        shuffle: Shuffle = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        learning_rate: Rate | Literal['auto'] = "auto",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
        optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
        momentum: float | None = None,
        batch_size: int | Literal['auto'] | None = "auto",
        standardize: bool | Literal['auto', 'scale'] = "auto",
        penalty_factor: ArrayLike | None = None,
        bounds: Bounds | None = None,
    ) -> None: ...
    coef_: NDArray[Any]
    intercept_: NDArray[Any]
    n_iter_: int
    t_: float
    loss_curve_: NDArray[Any]
    choices_: dict[str, str]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    def fit(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self: ...
    def predict(self, X: Rows) -> Any: ...
    def score(self, X: Rows, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float: ...
    def densify(self) -> Self: ...
    def sparsify(self) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **params: Any) -> Self: ...
    def partial_fit(
        self, X: Rows, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self: ...

class SGDClassifier(ClassifierMixin, BaseEstimator):
    loss: AnyLoss
    penalty: Literal['l2', 'l1', 'elasticnet'] | None
    alpha: float
    l1_ratio: float | None
    fit_intercept: bool
    max_iter: int
    tol: float | Literal['auto'] | None
    shuffle: Shuffle
    verbose: int
    epsilon: float
    random_state: int | np.random.RandomState | None
    learning_rate: Rate | Literal['auto']
    eta0: float
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: bool | int
    optimizer: AnyOptimizer | Literal['auto', 'newton']
    momentum: float | None
    batch_size: int | Literal['auto'] | None
    standardize: bool | Literal['auto', 'scale']
    penalty_factor: ArrayLike | None
    bounds: Bounds | None
    n_jobs: int | None
    class_weight: dict[Any, float] | Literal['balanced'] | None
    def __init__(
        self,
        loss: AnyLoss = "hinge",
        *,
        penalty: Literal['l2', 'l1', 'elasticnet'] | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | Literal['auto'] | None = "auto",
        shuffle: Shuffle = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        learning_rate: Rate | Literal['auto'] = "auto",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
        optimizer: AnyOptimizer | Literal['auto', 'newton'] = "auto",
        momentum: float | None = None,
        batch_size: int | Literal['auto'] | None = "auto",
        standardize: bool | Literal['auto', 'scale'] = "auto",
        penalty_factor: ArrayLike | None = None,
        bounds: Bounds | None = None,
        n_jobs: int | None = None,
        class_weight: dict[Any, float] | Literal['balanced'] | None = None,
    ) -> None: ...
    coef_: NDArray[Any]
    intercept_: NDArray[Any]
    n_iter_: int
    t_: float
    loss_curve_: NDArray[Any]
    choices_: dict[str, str]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    def fit(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self: ...
    def predict(self, X: Rows) -> Any: ...
    def score(self, X: Rows, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float: ...
    def densify(self) -> Self: ...
    def sparsify(self) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **params: Any) -> Self: ...
    classes_: NDArray[Any]
    def partial_fit(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self: ...
    def decision_function(self, X: Rows) -> Any: ...
    def predict_proba(self, X: Rows) -> Any: ...
    def predict_log_proba(self, X: Rows) -> Any: ...

class SweepCV(GridSearchCV):
    cv_results_: dict[str, Any]
    best_estimator_: Any
    best_score_: float
    best_params_: dict[str, Any]
    best_index_: int
    refit_time_: float
    n_splits_: int
    def __init__(
        self,
        estimator: SGDRegressor | SGDClassifier,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., Any] = True,
        cv: Folds | None = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | Literal["raise"] = ...,
        return_train_score: bool = False,
    ) -> None: ...
    def fit(self, X: Rows, y: ArrayLike | None = None, **params: Any) -> Self: ...
