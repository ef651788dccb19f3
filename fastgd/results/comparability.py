"""Whether the runs of a sweep can be compared by their losses."""

import warnings
from typing import NamedTuple

from ..inputs.part_serialization import part_to_dict
from ..wording import level_outside

IN_OBJECTIVE = {"alpha": "penalty", "l1_ratio": "penalty", "bounds": "bounds"}  # settings that move the optimum itself
REFUSAL = (
    "The runs have different losses ({names}), whose values have different units: they are not ranked. Pass "
    "{instead}, or read results and table()."
)
CAUTION_FIELDS = (
    "{names} of the loss varies, which changes its unit: the values do not say which run is better. Pass {instead}."
)
CAUTION = (
    "{names} varies and runs are compared by the training objective, which favours the weakest {kinds}: pass cv=5 or "
    "validation=0.2 to compare them on rows held out."
)
SCORED = 'cv=5, scoring="{}" to compare them by a score'


class Comparability(NamedTuple):
    """Why the runs of a sweep can't be compared by their losses, or why the comparison says little; None if it does.

    Attributes
    ----------
    refusal : str or None
        Of runs that have no best one.
    caution : str or None
        Of runs whose best one follows from the settings alone.
    """

    refusal: str | None = None
    caution: str | None = None

    @property
    def note(self):
        """The refusal or the caution, or None."""
        return self.refusal or self.caution

    def check(self):
        """Raise where no run is the best."""
        if self.refusal:
            raise ValueError(self.refusal)

    def warn(self):
        """Warn where the settings alone decide which run is the best."""
        if self.caution:
            warnings.warn(self.caution, UserWarning, stacklevel=level_outside())


COMPARABLE = Comparability()


def comparability_of(given_losses, settings, held_out):
    """The comparability of fits that are compared by their losses, ``given_losses`` being those parts.

    ``settings`` are those that vary, dicts of lists; ``held_out`` says that the values are those of rows held out.
    """
    first = given_losses[0]
    instead = SCORED.format("accuracy" if first.labels else "r2")
    if len({type(loss) for loss in given_losses}) > 1:
        names = dict.fromkeys(part_to_dict(loss)["name"] for loss in given_losses)
        return Comparability(refusal=REFUSAL.format(names=", ".join(names), instead=instead))
    fields = [name for k, name in enumerate(first._fields) if len({loss[k] for loss in given_losses}) > 1]
    if fields:
        what = " and ".join(fields)
        return Comparability(caution=CAUTION_FIELDS.format(names=what, instead=instead))
    return comparability_of_settings(settings, held_out)


def comparability_of_settings(settings, held_out):
    """The comparability of runs of one function, by settings that are part of what it measures."""
    names = [] if held_out else [name for name in IN_OBJECTIVE if len(set(map(str, settings.get(name, ())))) > 1]
    if not names:
        return COMPARABLE
    kinds = list(dict.fromkeys(IN_OBJECTIVE[name] for name in names))
    return Comparability(caution=CAUTION.format(names=" and ".join(names), kinds=" and the ".join(kinds)))
