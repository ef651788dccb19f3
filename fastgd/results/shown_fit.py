"""What ``print`` and a notebook show of a fit: nothing here takes a pass over data."""

import numpy as np

from ..inputs.part_serialization import part_of_run
from ..parts import losses
from ..parts.registry import count
from .coefficients import Coefficients
from .evaluation import penalty
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


def explained_in_training(result):
    """The share of the loss of a constant that the model explains on the training rows, or None; and whether exactly.

    The constant is where the run started: the best one, or zero where the rate was given.
    """
    state = result.state
    if state is None or state.chunked or result.status == "diverged" or result.n_steps == 0:
        return None, False
    start, loss = float(np.mean(state.start_loss)), result.loss
    exact = state.resolved["batch_size"] >= state.rows
    if exact:
        loss = loss - penalty(result) / len(state.start_loss)
    if not (np.isfinite(start) and np.isfinite(loss) and start > 0):
        return None, False
    return 1.0 - loss / start, exact


def training_words(result):
    """The share that is explained, in words, or None."""
    share, exact = explained_in_training(result)
    if share is None:
        return None
    loss = part_of_run(result.state, "loss", losses)
    about = "" if exact else "about "
    shown = f"{share:.4f}" if exact else f"{share:.2f}"
    options = result.state.options
    constant = options["learning_rate"] == "auto" and options["fit_intercept"]
    if loss.squared and constant and len(result.state.centre) == 1:
        return f"R2 {about}{shown}"
    return f"{about}{shown} of the loss {'of a constant' if constant else 'at zero'} is explained"


def validation_words(result):
    """The least validation loss, in words, or None."""
    held = result.history.validation_loss
    if not np.isfinite(held).any():
        return None
    return f"loss {np.nanmin(held):.6g} after epoch {int(np.nanargmin(held)) + 1}"
