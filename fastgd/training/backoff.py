"""Learning-rate back-off: a run whose automatic rate proves too large restarts with a tenth of it."""

FACTOR = 0.1
MOST = 40


class Backoff:
    """How often the runs of one loop have restarted, and which of them are to restart again.

    Parameters
    ----------
    count : int
        How often they have restarted.
    confirmed : dict of int to int or None
        For each model, by its number: how many back-offs came before the first that was decided at the end of a run,
        which a longer run might not have made. None where there was no such back-off.
    enabled : bool
        Whether the rate was chosen automatically, and the solver takes one.
    """

    def __init__(self, count, confirmed, enabled):
        self.count, self.confirmed, self.enabled = count, confirmed, enabled and count < MOST
        self.again = {}  # models that are to restart, as ``confirmed``

    @property
    def factor(self):
        """The multiplier of the learning rates."""
        return FACTOR**self.count

    def request(self, number, at_end=False):
        """Mark a model for a restart from its first weights: those after a rate too large may be far off."""
        confirmed = self.confirmed[number]
        self.again[number] = self.count if at_end and confirmed is None else confirmed

    def withdraw(self, numbers):
        """Cancel the restarts of some models."""
        self.again = {number: confirmed for number, confirmed in self.again.items() if number not in numbers}

    def confirmed_count(self, number):
        """How many of a model's back-offs a longer run would have made as well."""
        confirmed = self.confirmed[number]
        return self.count if confirmed is None else confirmed
