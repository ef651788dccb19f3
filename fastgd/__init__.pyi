"""Written by ``python docs/tables.py``."""

from . import engines as engines
from . import losses as losses
from . import optimizers as optimizers
from . import reference as reference
from . import schedules as schedules
from . import sources as sources
from .config import show_config as show_config
from .config import warmup as warmup
from .estimators.sgd import SGDClassifier as SGDClassifier
from .estimators.sgd import SGDRegressor as SGDRegressor
from .estimators.sweep_cv import SweepCV as SweepCV
from .linear.local_sgd import local_sgd as local_sgd
from .results.divergence import DivergenceWarning as DivergenceWarning
from .results.fit_result import FitResult as FitResult
from .results.fit_result import load as load
from .results.history import History as History
from .results.lr_find import LrFind as LrFind
from .results.minimize_result import MinimizeResult as MinimizeResult
from .results.sweep_results import CrossValidation as CrossValidation
from .results.sweep_results import SweepResult as SweepResult

__version__: str

def fit(
    X,
    y=None,
    *,
    loss="squared_error",
    optimizer="auto",
    learning_rate="auto",
    batch_size="auto",
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    fit_intercept=True,
    standardize="auto",
    sample_weight=None,
    offset=None,
    epochs="auto",
    max_steps=None,
    tol="auto",
    shuffle="block",
    validation=None,
    patience=5,
    evaluate=False,
    average=False,
    bootstrap=0,
    lazy=False,
    parallel=None,
    random_state=None,
    n_threads=None,
    callback=None,
    verbose=0,
    start=None,
    resume=None,
    engine=None,
) -> FitResult:
    """Fit a linear model by gradient descent."""

def lr_find(
    X,
    y=None,
    grad=None,
    *,
    start="auto",
    stop="auto",
    num=100,
    loss="squared_error",
    optimizer="auto",
    batch_size="auto",
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    fit_intercept=True,
    standardize="auto",
    sample_weight=None,
    offset=None,
    shuffle="block",
    lazy=False,
    parallel=None,
    random_state=None,
    n_threads=None,
    verbose=0,
    engine=None,
) -> LrFind:
    """Find a learning rate by the range test: steps at rates that grow from tiny to too large (Smith 2017)."""

def minimize(
    fun,
    x0,
    grad=None,
    *,
    jac=None,
    data=None,
    batch_size=None,
    epochs=None,
    shuffle="block",
    validation=None,
    patience=5,
    optimizer="sgd",
    learning_rate=0.1,
    clip_norm=None,
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    average=False,
    max_iter=None,
    tol=None,
    history=True,
    random_state=None,
    check_gradient=True,
    compile=False,
    callback=None,
    verbose=0,
    resume=None,
) -> MinimizeResult:
    """Minimise a function by gradient descent: of parameters alone or, with ``data``, in batches of rows."""

def minimize_sweep(
    fun,
    x0,
    grad=None,
    *,
    jac=None,
    data=None,
    batch_size=None,
    epochs=None,
    shuffle="block",
    validation=None,
    patience=5,
    learning_rate=0.1,
    optimizer="sgd",
    clip_norm=None,
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    average=False,
    product=True,
    max_iter=None,
    tol=None,
    history=True,
    random_state=None,
    check_gradient=True,
    compile=False,
    callback=None,
    verbose=0,
) -> SweepResult:
    """Minimise a function with many settings, all from one start."""

def partial_fit(
    X,
    y=None,
    r=None,
    classes=None,
    *,
    loss="squared_error",
    optimizer="auto",
    learning_rate="auto",
    batch_size="auto",
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    fit_intercept=True,
    standardize="auto",
    sample_weight=None,
    offset=None,
    shuffle=False,
    average=False,
    lazy=False,
    parallel=None,
    random_state=None,
    n_threads=None,
    callback=None,
    verbose=0,
    start=None,
) -> FitResult:
    """Fit a linear model to one more chunk of data: one pass over its rows, in their order."""

def sweep(
    X,
    y=None,
    *,
    product=True,
    cv=None,
    groups=None,
    scoring=None,
    refit=False,
    keep=None,
    loss="squared_error",
    optimizer="auto",
    learning_rate="auto",
    batch_size="auto",
    alpha=0.0,
    l1_ratio=0.0,
    penalty_factor=None,
    bounds=None,
    fit_intercept=True,
    standardize="auto",
    sample_weight=None,
    offset=None,
    epochs="auto",
    max_steps=None,
    tol="auto",
    shuffle="block",
    validation=None,
    patience=5,
    evaluate=False,
    average=False,
    lazy=False,
    parallel=None,
    random_state=None,
    n_threads=None,
    callback=None,
    verbose=0,
    start=None,
    engine=None,
) -> SweepResult:
    """Fit a linear model with many settings, all in one pass over the data."""
