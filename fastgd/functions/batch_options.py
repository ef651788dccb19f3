"""The options of ``minimize`` that are about batches, each checked by itself."""

from dataclasses import dataclass

import numpy as np

from ..inputs import arguments
from ..inputs.options import SHUFFLES

EPOCHS = 10


@dataclass(frozen=True)
class BatchOptions:
    """What a run over data goes by, but for its optimizer and learning rate; the defaults are those of ``minimize``."""

    batch_size: int | None = None
    epochs: int = EPOCHS
    shuffle: object = "block"
    alpha: float = 0.0
    l1_ratio: float = 0.0
    penalty_factor: object = None
    bounds: object = None
    average: int | None = None
    clip_norm: float = np.inf
    validation: object = None
    patience: int = 5
    random_state: int = 0

    @classmethod
    def checked(cls, given):
        """The options of which a dict is given, None standing for the default of some."""
        shuffle = given["shuffle"]
        found = {
            "batch_size": None
            if given["batch_size"] in ("full", None)
            else arguments.batch_size("batch_size", given["batch_size"]),
            "epochs": EPOCHS if given["epochs"] is None else arguments.whole("epochs", given["epochs"], 0),
            "shuffle": "block" if shuffle is True else arguments.one_of("shuffle", shuffle, SHUFFLES),
            "alpha": arguments.number("alpha", given["alpha"], low=0.0),
            "l1_ratio": arguments.number("l1_ratio", given["l1_ratio"], low=0.0, high=1.0),
            "average": arguments.average(given["average"]),
            "clip_norm": np.inf
            if given["clip_norm"] is None
            else arguments.number("clip_norm", given["clip_norm"], above=0.0),
            "validation": arguments.validation(given["validation"])
            if isinstance(given["validation"], float)
            else given["validation"],
            "patience": arguments.whole("patience", given["patience"], 1),
            "random_state": arguments.seed(given["random_state"]),
        }
        return cls(**given | found)
