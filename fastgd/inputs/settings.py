"""Settings: the arguments of a fit, each checked by itself."""

from dataclasses import dataclass

from ..kernels.threads import available_threads
from ..parts import losses, optimizers
from . import arguments

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

        threads = unless("n_threads", [None], arguments.whole, low=1)
        return cls(
            loss=arguments.part("loss", given["loss"], losses),
            optimizer=unless("optimizer", ["auto"], arguments.part, optimizers),
            learning_rate=unless("learning_rate", ["auto"], arguments.schedule),
            batch_size=unless("batch_size", ["auto", None], arguments.whole, low=1),
            alpha=arguments.number("alpha", given["alpha"], low=0.0),
            l1_ratio=arguments.number("l1_ratio", given["l1_ratio"], low=0.0, high=1.0),
            fit_intercept=arguments.truth("fit_intercept", given["fit_intercept"]),
            standardize=arguments.standardize(given["standardize"]),
            epochs=unless("epochs", ["auto"], arguments.whole, low=0),
            max_steps=unless("max_steps", [None], arguments.whole, low=0),
            tol=unless("tol", ["auto", None], arguments.number, low=0.0),
            shuffle=arguments.one_of("shuffle", given["shuffle"], SHUFFLES),
            validation=arguments.validation(given["validation"]),
            patience=arguments.whole("patience", given["patience"], low=1),
            average=arguments.average(given["average"]),
            evaluate=arguments.truth("evaluate", given["evaluate"]),
            random_state=arguments.seed(given["random_state"]),
            n_threads=available_threads() if threads is None else threads,
            callback=arguments.callback(given["callback"]),
            verbose=arguments.verbosity(given["verbose"]),
            bootstrap=arguments.replicates(given.get("bootstrap", 0)),
            lazy=arguments.truth("lazy", given["lazy"]),
            parallel=arguments.one_of("parallel", given["parallel"], (None, "hogwild")),
        )
