"""The sentences of a result: why a run ended and what to do next."""

ZERO = "The loss is zero to rounding."
APART = (
    "The classes can be told apart without an error: the loss falls towards zero while the weights grow, and is far "
    "below its start. With a penalty (alpha=1e-4, say) they would have a limit."
)
ABOVE = "The loss ended above its start."
ABOVE_FIRST = "The loss ended above ten times that of the constant that the first chunk began with."

ADVICE = {
    "converged": "Should it not be good enough yet: lower tol, or raise a learning_rate that was given.",
    "max_epochs": "If the loss was still falling, give more epochs; resume with this result goes on.",
    "early_stopped": "To go on, resume with this result (after an early stop, with more patience).",
    "diverged": "Lower learning_rate (a tenth is a good next try), or leave it at 'auto'; standardize=True helps too.",
    "interrupted": "The weights are the last finite ones; resume with this result goes on.",
}


NEXT_CHUNK = "Pass this result to partial_fit with the next chunk."
MINIMIZE_ADVICE = {
    "converged": "Nothing needs doing.",
    "max_iter": "If fun was still falling, give more iterations or a larger learning_rate.",
    "early_stopped": "x is where the run stood then.",
    "diverged": "Lower learning_rate: a tenth is a good next try.",
    "interrupted": "Pass x as x0 to go on.",
}
