"""How a run ended, and the sentences of a result: why it did, and what to do next."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """How a run ends: its status and the sentence for it.

    ``advice`` is what to do next: None is that of the status (``ADVICE``), "" nothing. ``finite`` is False where the
    run ended as a number was infinite or NaN.
    """

    status: str
    reason: str
    advice: str | None = None
    finite: bool = True


ZERO = "Converged: the loss is zero to rounding."
SEPARABLE = (
    "Converged: the classes are linearly separable, so that the unpenalised loss has no finite minimiser. Set "
    "alpha > 0 (1e-4, say), or raise it where it is given, for an optimum with smaller coefficients."
)
SEPARATED = (
    "Converged: the classes are linearly separable, and the loss is next to nothing. Set alpha > 0 (1e-4, say), or "
    "raise it where it is given, for an optimum with smaller coefficients."
)
SEPARATED_ROWS = (
    "{count} of {n} rows{which} are separated from the others by {columns}: their loss falls for ever along these, so "
    "that the unpenalised loss has no finite minimiser, and coefficients grow as tol is lowered. Set alpha > 0 (1e-4, "
    "say), or leave the columns out."
)
DECREMENT = "Converged: the decrease still possible is below tol * loss (tol={tol:g})."
GAP = "Converged: the duality gap is below tol * loss (tol={tol:g})."
NO_DECREASE = "Converged: no step lowers the loss any further."
STALLED = "Stopped early: rounding hides whether any step lowers the loss further."
STAGES = "Converged: the objective decreased by less than tol={tol:g} of itself in two stages in a row."
RELATIVE_DECREASE = "Converged: the loss decreased by less than tol={tol:g} of itself, {epochs} in a row."
VALIDATION = "Stopped early: the validation loss has not decreased for {epochs}."
BEST_EPOCH = "The weights are those of epoch {epoch}, whose validation loss was the lowest."
CALLBACK = "Stopped early: the callback ended the run after epoch {epoch}."
DROPPED = "Stopped early: after epoch {epoch} its loss was among the worse half (keep)."
NOT_FINITE = (
    "Diverged: the loss or a weight became infinite or NaN after epoch {epoch}; the last finite weights are kept."
)
OVERFLOW = "Diverged: the coefficients overflow in the units of X."
ABOVE_START = "Diverged: the loss ended above its start."
ABOVE_CONSTANT = "Diverged: the losses of the last chunks are above ten times those of the first chunk's constant."
INTERRUPTED = "Interrupted: Ctrl-C after {steps}."
ALL_EPOCHS = "All {epochs} epochs are done."
ONE_EPOCH = "The epoch is done."
ALL_STEPS = "All max_steps={max_steps} steps are done ({behind})."
MORE_EPOCHS = "The run has {behind} behind it, more than epochs={epochs}."
CHUNKS = "Chunks done: {epoch}."
NOT_AVERAGED = "Averaging starts with step {begin}: these are the last weights."

ADVICE = {
    "converged": "",
    "max_epochs": "If the loss was still decreasing, give more epochs; resume with this result goes on.",
    "early_stopped": "To go on, resume with this result (after an early stop, with more patience).",
    "diverged": "Lower learning_rate (a tenth is a good next try), or leave it at 'auto'; standardize=True helps too.",
    "interrupted": "The weights are the last finite ones; resume with this result goes on.",
}
MORE_DIGITS = "For more digits lower tol."
MORE_DIGITS_GIVEN = "For more digits lower tol, or raise a learning_rate that was given."
TOO_LARGE = "The learning rate is automatic: look for very large numbers in X, y and start."
NO_MORE = "There is nothing more to gain."
LESS_ROUNDING = "standardize=True, X as float64, or columns and offsets closer to zero let it go on."
NEXT_CHUNK = "Pass this result to partial_fit with the next chunk."
MINIMIZE_ADVICE = {
    "converged": "Nothing needs doing.",
    "max_iter": "If fun was still falling, give more iterations or a larger learning_rate.",
    "max_epochs": "If fun was still falling, give more epochs or a larger learning_rate.",
    "early_stopped": "x is where the run stood then.",
    "diverged": "Lower learning_rate: a tenth is a good next try.",
    "interrupted": "Pass x as x0 to go on.",
}
RAISED_ADVICE = "Lower learning_rate (a tenth is a good next try), or correct the function."
