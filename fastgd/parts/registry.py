"""What a loss, an optimizer, a schedule and a penalty consist of, and how part classes are found and named.

``PROTOCOLS`` is the one table of the methods and traits of each kind of part. The bridge to the kernels, the checks of
a user's own parts and the defaults of all part classes are derived from it.
"""

import difflib
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..wording import brief
from .aliases import ALIASES, ELSEWHERE, ELSEWHERE_IN_FITS, SECOND_ORDER
from .elementary import exp

Function = TypeVar("Function", bound=Callable[..., Any])

# Limits of a field, the keyword arguments of ``arguments.number``.
POSITIVE = {"above": 0.0}
BELOW_ONE = {"low": 0.0, "below": 1.0}


class Method(NamedTuple):
    """A method of a kind of part: ``def name(self, <arguments>)``."""

    arguments: str
    meaning: str
    required: bool = False
    compiled: bool = False  # whether kernels call it
    default: object = None  # what a class without this optional method gets


class Trait(NamedTuple):
    """An attribute of a part class."""

    default: object
    meaning: str


class Protocol(NamedTuple):
    """The methods and the traits of a kind of part, by name."""

    methods: dict
    traits: dict

    @property
    def required(self):
        """The arguments of the required methods, by name."""
        return {name: method.arguments for name, method in self.methods.items() if method.required}


def sigmoid(p):
    """``1 / (1 + exp(-p))``, to full relative precision also where it is tiny."""
    return np.exp(-np.logaddexp(0.0, -p))


def softmax(p):
    """The exponentials of the last axis, divided by their sum."""
    odds = np.exp(p - np.max(p, axis=-1, keepdims=True))
    return odds / np.sum(odds, axis=-1, keepdims=True)


# The mean of the target as a function of the score, for each link function.
INVERSE_LINKS = {"identity": lambda p: p, "log": exp, "logit": sigmoid, "softmax": softmax}


def _mean(self, p):
    return INVERSE_LINKS[self.link](p)


LIMITS = "the limits of fields; a field without is at least 0 in fastgd's classes and any number in yours"
PROTOCOLS = {
    "losses": Protocol(
        methods={
            "value": Method("p, y", "the loss of a score p for the target y", required=True, compiled=True),
            "slope": Method("p, y", "its derivative in p", required=True, compiled=True),
            "second_derivative": Method(
                "p, y",
                "the second derivative in p, or a positive substitute where that jumps; without it (and without kinks) "
                "the full batch is fitted by steps of first order",
                compiled=True,
            ),
            "kinks": Method(
                "y",
                "of a loss that is made of lines: triples (place, low, high) that it is the sum of, each the largest "
                "u * (place - p) with u between low and high; None where it is not. Interior points need it",
            ),
            "mean": Method("p", "the mean of the target that a score predicts; by default from link", default=_mean),
            "probabilities": Method(
                "scores",
                "the class probabilities (n, K), from the scores (n,) of the second of two classes or (n, K) of each; "
                "None where scores say nothing about them",
            ),
            "best_constant": Method(
                "y, weight, offset",
                "the constant whose scores, with the offset, have the least loss of targets y (n,). With it the score "
                "of a result is D2, the share of the loss of that constant that the model explains; without it R2, and "
                "of classes the accuracy",
            ),
        },
        traits={
            "link": Trait(
                "identity",
                'the link function, from the mean of the target to the score: "identity", "log", "logit" or "softmax"; '
                "any other name with a method mean",
            ),
            "curvature": Trait(np.inf, "an upper bound of the second derivative in p; it sets the automatic rate"),
            "smooth": Trait(True, "whether the slope has no jumps"),
            "labels": Trait(False, "whether the targets are classes, coded from 0"),
            "joint": Trait(False, "whether the scores of all classes make one loss, with the methods of JOINT_LOSS"),
            "residual_only": Trait(False, "whether the loss is a function of p - y alone"),
            "squared": Trait(False, "whether the loss is the squared residual times the first field, factor"),
            "smoothing_field": Trait(
                None, "the field that smooths the kinks of the loss; quasi-Newton steps start with a large value"
            ),
            "recedes": Trait(
                False,
                "whether the loss of a label, or of a target of 0 whose mean is an exponential, falls for ever as the "
                "score goes to its side",
            ),
            "least_at_zero": Trait(
                False,
                "whether scores of 0 have the least loss of all, so that every model that has learned lies above the "
                "start: no run of such a loss has diverged for that",
            ),
            "domain": Trait({}, 'which targets are allowed, e.g. {"low": 0.0} or {"above": 0.0}'),
            "limits": Trait({"factor": POSITIVE}, LIMITS),
        },
    ),
    "optimizers": Protocol(
        methods={
            "prepare": Method(
                "lr, t, carry", "(coefficients, carry) of step t = 1, 2, ...", required=True, compiled=True
            ),
            "move": Method("c, w, g, s", "(change, step, state) of weights, elementwise", required=True, compiled=True),
            "row_slope": Method(
                "rate, slope, value, square",
                "what replaces the slope of the loss at a single row whose loss is value and whose squared length is "
                "square; only with by_row",
                compiled=True,
            ),
        },
        traits={
            "slots": Trait(0, "the number of state values of a weight, 0 to 3"),
            "slot_powers": Trait(
                (),
                'of each slot the power of the gradient\'s unit that it holds, or "weight": a stream expresses it anew '
                "where the scaling of its columns changes",
            ),
            "scale_free": Trait(False, "whether moves do not grow with the gradient"),
            "fades": Trait(False, "whether moves shrink from step to step at a constant rate"),
            "damping": Trait(1.0, "the share of the rate set by the curvature that is safe on batches"),
            "decays": Trait(
                False,
                "whether the last coefficient is the share of every weight but the intercept that is taken off at each "
                "step, before the change (decoupled weight decay)",
            ),
            "by_row": Trait(False, "whether steps of single rows use row_slope; their loss sums are unweighted"),
            "plain": Trait(
                False, "whether there is no state, the change is -c[0] * g and c depends on the rate alone (SGD)"
            ),
            "zero_gradient": Trait(
                None,
                'the optimizer whose steps do the same to a weight without a gradient: "sgd" (no change, the step is '
                'c[0]), "adagrad" (no change, the step is c[0] / (sqrt(s[0]) + epsilon)), "momentum" or "nesterov" '
                "(with the field beta and the same state). Sparse batches then move the columns of their rows alone "
                "and make up for the other steps exactly; None moves all columns at each step",
            ),
            "limits": Trait({}, LIMITS),
        },
    ),
    "schedules": Protocol(
        methods={
            "rate": Method("t", "the learning rates of an array of steps t = 1, 2, ...", required=True),
            "after_epoch": Method("loss, memory", "(multiplier of the rates, memory) after an epoch of that loss"),
        },
        traits={
            "durations": Trait((), "the fields given in epochs; 0 is the rest of the run"),
            "steady": Trait(False, "whether all steps of an epoch have the same rate"),
            "alpha_of_fit": Trait(False, "whether 0 in the field alpha means the alpha of the fit"),
            "memory": Trait((), "what after_epoch is given after the first epoch, a tuple of floats"),
            "limits": Trait({}, LIMITS),
        },
    ),
    "penalties": Protocol(
        methods={
            "cost": Method("w, by_l1, by_l2", "the penalty of a weight", required=True, compiled=True),
            "prox": Method("z, step, low, high, factors, j", "the proximal step", required=True, compiled=True),
            "shrink": Method("z, pull, share, low, high", "several of them in one", required=True, compiled=True),
            "pull": Method("step", "what a proximal step takes off the size of a weight", required=True, compiled=True),
            "divisor": Method("step", "what it then divides the weight by", required=True, compiled=True),
            "slope": Method("w, g, low, high, by_l1, by_l2", "the smallest subgradient", required=True, compiled=True),
        },
        traits={},
    ),
}
LOSS = PROTOCOLS["losses"]
# The scores of all classes make one loss, row by row; as its value and slopes are computed at once, no exponential is
# computed twice.
JOINT_LOSS = Protocol(
    methods={
        "value_and_slopes": Method(
            "p, y, slopes",
            "the loss of one row with the scores p (classes,), never written to, and the class number y; writes the "
            "derivatives in p into slopes (classes,), float64",
            required=True,
            compiled=True,
        ),
        "values_and_slopes": Method(
            "p, y, values, slopes",
            "the same for some rows at once, whose loops run side by side: p, which it may write to, and slopes are "
            "(classes, rows), the class numbers y and the losses, written into values, (rows,)",
            compiled=True,
        ),
        "mean_second_derivative": Method(
            "slopes, y",
            "the mean over the classes of the second derivatives in each one's score, not negative, from the slopes of "
            "a row; without it differences of slopes are taken",
            compiled=True,
        ),
        "second_derivatives": Method(
            "slopes, y, out",
            "those in every two scores, written into out (classes, classes), from the slopes of a row; without it "
            "differences of slopes are taken",
            compiled=True,
        ),
        **{name: method for name, method in LOSS.methods.items() if not method.required},
    },
    traits={**LOSS.traits, "labels": LOSS.traits["labels"]._replace(default=True)},
)
COMPILED_METHODS = {
    name: method.arguments
    for protocol in (PROTOCOLS["penalties"], PROTOCOLS["optimizers"], JOINT_LOSS, LOSS)  # the last slope is the loss's
    for name, method in protocol.methods.items()
    if method.compiled
}


@functools.cache
def snake_case(name):
    """``SquaredError`` -> ``squared_error``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def protocol_of(kind, part):
    """The protocol of a part, or a part class, of a kind."""
    return JOINT_LOSS if kind == "losses" and getattr(part, "joint", False) else PROTOCOLS[kind]


def catalogue(package, path):
    """The part classes that the modules of a package define, by name in alphabetical order; their traits filled."""
    kind, found = package.rpartition(".")[2], {}
    for module in pkgutil.iter_modules(path, f"{package}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            protocol, own = protocol_of(kind, value), getattr(value, "__module__", None) == module.name
            if isinstance(value, type) and own and all(hasattr(value, word) for word in protocol.required):
                found[name] = complete(value, protocol)
                if "__new__" in vars(value):
                    value.__new__ = known_options(value.__new__)
    return dict(sorted(found.items()))


def complete(part, protocol):
    """Give a part class the traits and the optional methods that it does not define itself."""
    for name, one in (*protocol.traits.items(), *protocol.methods.items()):
        if not hasattr(part, name):
            setattr(part, name, one.default)
    return part


def unknown(argument, given, valid):
    """The error for a value that is not one of ``valid``, with the nearest name."""
    elsewhere = argument == "optimizer" and "newton" not in valid and plain(given) in SECOND_ORDER
    hint = ELSEWHERE if elsewhere else _did_you_mean(given, valid)
    return ValueError(f"{argument}={brief(given)} is not known.{hint} Valid are: {', '.join(map(repr, valid))}.")


def unknown_option(caller, given, valid):
    """The error for an option that a call does not have, with the nearest one."""
    where = ELSEWHERE_IN_FITS.get(plain(given)) if caller in ("fit", "sweep", "partial_fit", "lr_find") else None
    hint = f" {where}" if where else _did_you_mean(given, valid) or f" Valid are: {', '.join(valid)}."
    return TypeError(f"{caller}() got an unexpected option {given!r}.{hint}")


def known_options(function: Function, name: str | None = None) -> Function:
    """A public call whose error for an unknown option names the nearest one; ``name`` is what it calls itself."""
    signature = inspect.signature(function)
    positional = ("fun", "x0", "self", "cls", "_cls")
    valid = [one for one in signature.parameters if one not in positional]

    @functools.wraps(function)
    def call(*arguments, **options):
        try:
            return function(*arguments, **options)
        except TypeError:  # looked at after the call: sweeps make hundreds of parts
            for option in options:
                if option not in signature.parameters:
                    made = arguments[0].__name__ if function.__name__ == "__new__" else name
                    raise unknown_option(made or function.__name__, option, valid) from None
            raise

    # Types are for editors alone, whose stubs have them.
    plain = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    call.__signature__ = inspect.Signature(plain)
    return call


def plain(given):
    """A name in lower case, with underscores; "" for what is no string."""
    return given[:200].lower().replace("-", "_").replace(" ", "_") if isinstance(given, str) else ""


def _did_you_mean(given, valid):
    """The nearest of the names in ``valid``, as a hint; nothing where none is near."""
    words = plain(given)
    names = [name for name in valid if isinstance(name, str)]
    near = [name for name in ALIASES.get(words, ()) if name in names]
    near = near or [name for name in names if sorted(name) == sorted(words)][:1]  # two letters in the wrong order
    near = near or difflib.get_close_matches(words, names, n=1)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
