"""Optimizers: one small class each, the rule that turns a gradient into a move of one weight.

``slots`` is the number of state values of a weight. ``prepare(lr, t, carry)`` runs once a step in float64: it returns
the coefficients of the rule, everything that depends on the step number alone, and two running numbers ``carry`` that
start at 1 (products of decays; ``beta**t`` inside the rule made Adam 15 to 30 times slower). ``move(c, w, g, s)`` is
the elementwise rule in the data's own type: it returns the change of the weight, the size of the proximal step that L1,
L2 and bounds take after it, and the new state. It contains no literal and no power (a float64 literal runs float32 data
at float64's speed). Steps count from ``t = 1``; state starts at zero. Optional methods and traits:
``PROTOCOLS["optimizers"]`` in :mod:`fastgd.parts.registry`.

The step must be above 0 and finite, and for a penalised optimum to be reached the change in a steady state (weights and
gradient constant) must be ``-step * g``: a velocity is the displacement that really happened, a divisor also divides
the step.

To add an optimizer, write one class in a module of this folder: its name in ``snake_case`` becomes its string name.

Examples
--------
>>> from fastgd import optimizers, reference
>>> o = reference.minimize(lambda x: (x - 3) ** 2, 0.0, optimizer=optimizers.Nesterov(0.5), max_iter=50)
>>> round(o.x, 1), optimizers.Adamw(weight_decay=0.1)
(3.0, Adamw(beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.1))
"""

from ..registry import catalogue

globals().update(classes := catalogue(__name__, __path__))
BY_ROW = tuple(part for part in classes.values() if part.by_row)  # only the estimators use these
__all__ = [name for name, part in classes.items() if not part.by_row]


def decayed(optimizer, c, w):
    """The weight after its decay (its compiled form is in ``kernels/_jit.py``)."""
    return w - c[-1] * w if optimizer.decays else w
