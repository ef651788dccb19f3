"""Settings: the arguments of a fit, each checked by itself."""

from dataclasses import dataclass

from ..kernels.threads import available_threads
from ..parts import losses, optimizers
from . import checks

SHUFFLES = ("block", "full", "replacement", False)


@dataclass(frozen=True)
class Settings:
    """The arguments of a fit, each checked by itself; 'auto' still stands."""

    loss: tuple
    optimizer: object
    learning_rate: object
    batch_size: object
    alpha: float
    l1_ratio: float
    fit_intercept: bool
    standardize: object
    epochs: object
    max_steps: int | None
    tol: object
    shuffle: object
    validation: object
    patience: int
    average: int | None
    evaluate: bool
    random_state: int
    n_threads: int
    callback: object
    verbose: int
    bootstrap: int
    lazy: bool
    parallel: str | None

    @classmethod
    def checked(cls, **given):
        """Checked settings, or one error that names the argument."""

        def unless(name, keep, check, *arguments, **options):
            value = given[name]
            if any(
                value is word or (isinstance(word, str) and isinstance(value, str) and value == word) for word in keep
            ):
                return value
            return check(name, value, *arguments, **options)

        threads = unless("n_threads", [None], checks.whole, low=1)
        return cls(
            loss=checks.part("loss", given["loss"], losses),
            optimizer=unless("optimizer", ["auto"], checks.part, optimizers),
            learning_rate=unless("learning_rate", ["auto"], checks.schedule),
            batch_size=unless("batch_size", ["auto", None], checks.whole, low=1),
            alpha=checks.number("alpha", given["alpha"], low=0.0),
            l1_ratio=checks.number("l1_ratio", given["l1_ratio"], low=0.0, high=1.0),
            fit_intercept=checks.truth("fit_intercept", given["fit_intercept"]),
            standardize=checks.standardize(given["standardize"]),
            epochs=unless("epochs", ["auto"], checks.whole, low=0),
            max_steps=unless("max_steps", [None], checks.whole, low=0),
            tol=unless("tol", ["auto", None], checks.number, low=0.0),
            shuffle=checks.one_of("shuffle", given["shuffle"], SHUFFLES),
            validation=checks.validation(given["validation"]),
            patience=checks.whole("patience", given["patience"], low=1),
            average=checks.average(given["average"]),
            evaluate=checks.truth("evaluate", given["evaluate"]),
            random_state=checks.seed(given["random_state"]),
            n_threads=available_threads() if threads is None else threads,
            callback=checks.callback(given["callback"]),
            verbose=checks.verbosity(given["verbose"]),
            bootstrap=checks.replicates(given.get("bootstrap", 0)),
            lazy=checks.truth("lazy", given["lazy"]),
            parallel=checks.one_of("parallel", given["parallel"], (None, "hogwild")),
        )
