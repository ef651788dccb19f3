"""Labels as numbers of classes, as files of numbers hold them."""

import numpy as np


class Labels:
    """Strings, or objects, as numbers of classes in the order in which they were met, so that nothing is pickled.

    A dict takes 0.11 us a label; np.unique, which sorts, took 0.29.
    """

    def __init__(self, part, kind):
        self.part, self.kind, self.width, self.numbers = part, kind, 0, {}

    def codes(self, labels, place):
        """The numbers of some labels, int32."""
        if labels.dtype.kind != self.kind:
            raise TypeError(f"{self.part} is {labels.dtype} from {place} on, and of another kind before.")
        if self.kind in "US":
            self.width = max(self.width, labels.dtype.itemsize // (4 if self.kind == "U" else 1))
        flat, numbers = labels.reshape(-1).tolist(), self.numbers
        if self.kind == "O":
            flat = [(type(one), one) for one in (plain(one, self.part, place) for one in flat)]
        codes = [numbers.setdefault(one, len(numbers)) for one in flat]
        return np.array(codes, np.int32).reshape(labels.shape)

    def described(self):
        """What the manifest says of them."""
        classes = list(self.numbers)
        if self.kind == "O":
            classes = [one for _, one in classes]
        elif self.kind == "S":
            classes = [one.decode("latin-1") for one in classes]
        return {"kind": self.kind, "width": self.width, "classes": classes}


def plain(one, part, place):
    """A label as JSON keeps it."""
    one = one.item() if isinstance(one, np.generic) else one
    if type(one) not in (str, bool, int, float) or one != one:
        raise TypeError(f"{part} holds {one!r} in the rows from {place} on: labels are strings or numbers.")
    return one


def decoded(codes, labels):
    """Labels of their numbers, as they were given."""
    kind, classes = labels["kind"], labels["classes"]
    if kind == "O":
        known = np.empty(len(classes), object)
        known[:] = classes
    elif kind == "T":
        known = np.array(classes, np.dtypes.StringDType())
    else:
        classes = [one.encode("latin-1") for one in classes] if kind == "S" else classes
        known = np.array(classes, f"{kind}{labels['width']}")
    return known[codes]
