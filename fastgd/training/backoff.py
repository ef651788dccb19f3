"""Learning-rate back-off: a run whose automatic rate proves too large starts anew with a tenth of it."""

FACTOR = 0.1
MOST = 40


class Backoff:
    """How often runs that are driven together have started anew, and which of them are to do so again.

    Parameters
    ----------
    count : int
        How often they have.
    confirmed : dict of int to int or None
        By a model's number the back-offs before the first that only the end of its run asked for; a longer run might
        not have made that one. None where there was none.
    enabled : bool
        Whether the rate was chosen automatically, and the solver takes one.
    """

    def __init__(self, count, confirmed, enabled):
        self.count, self.confirmed, self.enabled = count, confirmed, enabled and count < MOST
        self.again = {}  # models that are to start anew, as ``confirmed``

    @property
    def factor(self):
        """What the rates are multiplied by."""
        return FACTOR**self.count

    def request(self, number, at_end=False):
        """Let a model start anew: what an epoch too fast has left may be too far off."""
        confirmed = self.confirmed[number]
        self.again[number] = self.count if at_end and confirmed is None else confirmed

    def withdraw(self, numbers):
        """Forget what was asked for some models."""
        self.again = {number: confirmed for number, confirmed in self.again.items() if number not in numbers}

    def confirmed_count(self, number):
        """How many of a model's back-offs a longer run would have made too."""
        confirmed = self.confirmed[number]
        return self.count if confirmed is None else confirmed
