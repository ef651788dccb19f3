"""What ``print`` and a notebook show of a fit: nothing here takes a pass over data."""

from ..parts.registry import count
from .coefficients import Coefficients
from .evaluation import training_words, validation_words
from .shown import Shown

LARGEST = 5  # coefficients that are shown


def shown_of_fit(result):
    """How it ended, what is explained of the training rows, the largest coefficients and the choices."""
    ended = f"{result.status} after {count(result.n_epochs, 'epoch')} ({count(result.n_steps, 'step')})"
    if result.coef.ndim == 1:
        model = f"{count(result.coef.size, 'coefficient')}, intercept {result.intercept:.6g}"
    else:
        kind = "targets" if result.classes is None else "classes"
        model = f"{count(result.coef.shape[1], 'coefficient')} for each of {len(result.coef)} {kind}"
    facts = {None: result.message, "training rows": training_words(result), "validation": validation_words(result)}
    table = Coefficients.of(result).table(LARGEST)
    return Shown(
        f"{type(result).__name__}: {ended}",
        {name: words for name, words in {**facts, "model": model}.items() if words},
        [table] if table else [],
        details=result.choices,
    )
