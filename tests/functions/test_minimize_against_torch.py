"""``minimize`` over batches takes PyTorch's steps: of a small perceptron, 200 of them, in float64.

Where PyTorch is not installed, its figures stand here: some parameters after the last step.
"""

import warnings

import numpy as np
import pytest
from networks import perceptron

import fastgd
from fastgd.schedules import Cosine, Warmup

INPUTS, HIDDEN, CLASSES, ROWS, BATCH, EPOCHS = 6, 5, 3, 200, 20, 20
STEPS = EPOCHS * ROWS // BATCH
RISE = 20  # steps of warm-up
DECAY = 0.1


def waves(*shape):
    """Numbers between -1 and 1 that no generator has to be asked for."""
    return np.sin(1.7 * np.arange(1.0, np.prod(shape) + 1.0) ** 1.3).reshape(shape)


X = waves(ROWS, INPUTS)
CLASS = np.argmax(X @ waves(INPUTS, CLASSES) + 0.3 * waves(ROWS, CLASSES), axis=1)
START = {
    "W1": waves(INPUTS, HIDDEN) / 2,
    "b1": np.zeros(HIDDEN),
    "W2": waves(HIDDEN, CLASSES)[::-1] / 2,
    "b2": np.zeros(CLASSES),
}


def decayed(params, X, label):
    """With the penalty in the function itself: what PyTorch's ``weight_decay`` of RMSprop adds to the gradient."""
    value, slopes = perceptron(params, X, label)
    value += DECAY / 2 * sum((w**2).sum() for w in params.values())
    return value, {name: slope + DECAY * params[name] for name, slope in slopes.items()}


# Of each way: fastgd's options, and PyTorch's optimizer with its options.
WAYS = {
    "adam": ({"optimizer": "adam", "learning_rate": 0.01}, "Adam", {"lr": 0.01}),
    "nesterov": (
        {"optimizer": fastgd.optimizers.Nesterov(0.9), "learning_rate": 0.05},
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    ),
    "rmsprop, weight decay": (
        {"fun": decayed, "optimizer": fastgd.optimizers.Rmsprop(decay=0.99), "learning_rate": 0.01},
        "RMSprop",
        {"lr": 0.01, "alpha": 0.99, "weight_decay": DECAY},
    ),
    "adamw": (
        {"optimizer": fastgd.optimizers.Adamw(weight_decay=DECAY), "learning_rate": 0.01},
        "AdamW",
        {"lr": 0.01, "weight_decay": DECAY},
    ),
    "sgdw": (
        {"optimizer": fastgd.optimizers.Sgdw(weight_decay=DECAY), "learning_rate": 0.05},
        "SGD",
        {"lr": 0.05, "weight_decay": DECAY},
    ),
    "adam, cosine after a warm-up": (
        {
            "optimizer": "adam",
            "learning_rate": Warmup(Cosine(0.02, final=0.001), period=RISE * BATCH / ROWS),
        },
        "Adam",
        {"lr": 0.02},
    ),
}
PLACES = [("W1", (0, 0)), ("W1", (4, 2)), ("b1", (1,)), ("W2", (2, 1)), ("b2", (0,))]
FIGURES = {  # of PyTorch 2.13
    "adam": [0.535118021, -0.331194413, 0.338837762, -0.241260869, -0.126989671],
    "nesterov": [0.982296725, -0.38466293, 0.362105115, -0.251496965, -0.367747756],
    "rmsprop, weight decay": [0.260762854, -5.8074e-05, 0.425997418, 2.5876e-05, 0.016084811],
    "adamw": [0.480802071, -0.300303334, 0.324151852, -0.253617229, -0.102964038],
    "sgdw": [0.265115378, -0.136122892, 0.188906469, -0.002521211, -0.130681337],
    "adam, cosine after a warm-up": [0.553824213, -0.31364876, 0.34398642, -0.20429687, -0.158132738],
}


def ours(way):
    options = {"fun": perceptron, **WAYS[way][0]}
    options |= {"grad": True, "data": (X, CLASS), "batch_size": BATCH, "epochs": EPOCHS, "shuffle": False}
    found = fastgd.minimize(options.pop("fun"), START, **options)
    assert found.nit == STEPS
    return found.x


def torchs(way):
    """PyTorch's parameters after the same steps, by its own gradients."""
    import torch
    from torch.optim import lr_scheduler

    _, name, options = WAYS[way]
    params = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    optimizer = getattr(torch.optim, name)(params.values(), **options)
    falling = None
    if "warm-up" in way:
        # fastgd's first step has 1/20 of the rate, the 20th all of it.
        parts = (
            lr_scheduler.LinearLR(optimizer, start_factor=1 / RISE, total_iters=RISE - 1),
            lr_scheduler.CosineAnnealingLR(optimizer, STEPS - RISE, eta_min=0.001),
        )
        falling = lr_scheduler.SequentialLR(optimizer, parts, milestones=[RISE])
    rows, label = torch.tensor(X), torch.tensor(CLASS)
    for _ in range(EPOCHS):
        for lo in range(0, ROWS, BATCH):
            optimizer.zero_grad()
            hidden = torch.relu(rows[lo : lo + BATCH] @ params["W1"] + params["b1"])
            scores = hidden @ params["W2"] + params["b2"]
            torch.nn.functional.cross_entropy(scores, label[lo : lo + BATCH]).backward()
            optimizer.step()
            if falling is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # its own, about arguments of its parts
                    falling.step()
    return {name: value.detach().numpy() for name, value in params.items()}


def figures(x):
    return [x[name][place] for name, place in PLACES]


@pytest.mark.parametrize("way", WAYS)
def test_figures_of_torch(way):
    np.testing.assert_allclose(figures(ours(way)), FIGURES[way], rtol=0, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_every_parameter_of_torch(way):
    pytest.importorskip("torch")
    theirs = torchs(way)
    for name, value in ours(way).items():
        np.testing.assert_allclose(value, theirs[name], rtol=0, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(figures(theirs), FIGURES[way], rtol=0, atol=1e-8)
