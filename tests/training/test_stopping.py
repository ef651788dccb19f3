"""Stopping rules on losses that are written down: the epoch at which each rule fires is worked out by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scripted_losses import run

from fastgd import optimizers
from fastgd.training.history import LossHistory
from fastgd.training.stopping import Patience, RelativeDecrease, ZeroLoss, patience_of, rules_of


def fires(rule, losses, *, start=None, exact=False, tol=None, gradients=None, validation=None, dtype=np.float64):
    """The epoch after which a rule has a verdict on losses, a number or a list (one a target) an epoch; or None."""
    lists = [loss if isinstance(loss, list) else [loss] for loss in losses]
    start = lists[0] if start is None else [start] * len(lists[0])
    history = LossHistory(np.array(start), exact, validation is not None, tol, dtype)
    for k, loss in enumerate(lists):
        record = {"loss": loss}
        if gradients is not None:
            record["gradient_norm"] = gradients[k] if isinstance(gradients[k], list) else [gradients[k]]
        if validation is not None:
            record["validation_loss"] = validation[k] if isinstance(validation[k], list) else [validation[k]]
        history.note(record)
        if rule.verdict(history):
            return k + 1
    return None


# A loss that is zero ------------------------------------------------------------------------------------------------

# Zero to rounding of float64 is (8 * 2.22e-16)**2 = 3.2e-30 of the start, of float32 (8 * 1.19e-7)**2 = 9.1e-13.


@pytest.mark.parametrize(
    "losses, epoch",
    [
        ([1.0, 0.0, 0.0, 0.0], 3),
        ([0.0, 0.0], 2),
        ([1.0, 3e-30, 3e-30], 3),
        ([1.0, 4e-30, 4e-30], None),
        ([1.0, 0.0, 0.5, 0.0, 0.0], 5),  # momentum carries the weights away again
        ([1.0, 0.0], None),
        ([1.0, math.nan, math.nan], None),
        ([[1.0, 1.0], [0.0, 0.5], [0.0, 0.0], [0.0, 0.0]], 4),  # all targets
        ([[1.0, 1.0], [0.0, 0.5], [0.0, 0.4], [0.0, 0.3]], None),
    ],
)
def test_zero_loss(losses, epoch):
    assert fires(ZeroLoss(), losses, start=1.0) == epoch


def test_zero_is_a_share_of_the_start():
    assert fires(ZeroLoss(), [1e6, 3e-24, 3e-24]) == 3
    assert fires(ZeroLoss(), [1e-6, 3e-30, 3e-30]) is None
    assert fires(ZeroLoss(), [1.0, 9e-13, 9e-13], dtype=np.float32) == 3
    assert fires(ZeroLoss(), [1.0, 9e-13, 9e-13]) is None


# Relative decrease --------------------------------------------------------------------------------------------------


def test_a_loss_that_stands_still_in_batches():
    """Epochs 5 and 6 lower nothing; but half way back from epoch 6 the loss was 2, from epoch 7 it was 1."""
    losses = [8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert fires(RelativeDecrease(0.01, 2, True), losses, tol=0.01) == 7
    assert fires(RelativeDecrease(0.01, 3, True), losses, tol=0.01) == 7
    assert fires(RelativeDecrease(0.01, 4, True), losses, tol=0.01) == 8


def test_a_decrease_of_exactly_the_tolerance_is_none():
    """1.25 to 1.0, at epoch 5, is a fifth of what it was and a quarter of what it is; half way back was epoch 3."""
    losses = [16.0, 4.0, 1.25, 1.25, 1.0]
    assert fires(RelativeDecrease(0.25, 1, True), losses, tol=0.25) == 5
    assert fires(RelativeDecrease(0.24, 1, True), losses, tol=0.24) is None
    assert fires(RelativeDecrease(0.0, 3, True), [8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0], tol=0.0) == 7


def test_a_rate_too_small_is_no_convergence():
    """A straight line, each epoch by a thousandth: the last half holds half of all the decrease."""
    losses = [1.0 - 0.001 * k for k in range(40)]
    assert fires(RelativeDecrease(0.1, 2, True), losses, tol=0.1) is None


def test_noisy_running_means():
    """Batches: a mean that rises is no decrease, and the lowest so far is what the next has to beat."""
    losses = [8.0, 2.0, 1.0, 1.5, 1.2, 1.3, 1.1]
    # Stalled: epochs 4, 5, 6. Half way back from epoch 5 is epoch 3, whose loss is the lowest.
    assert fires(RelativeDecrease(0.01, 2, True), losses, tol=0.01) == 5
    assert fires(RelativeDecrease(0.01, 3, True), losses, tol=0.01) == 6
    # Epoch 5 beats the lowest by 2 %: the count begins anew, at epoch 6.
    assert fires(RelativeDecrease(0.01, 2, True), [8.0, 2.0, 1.0, 1.5, 0.98, 1.3, 1.1], tol=0.01) is None
    assert fires(RelativeDecrease(0.05, 2, True), [8.0, 2.0, 1.0, 1.5, 0.98, 1.3, 1.1], tol=0.05) == 5


def test_momentum_swings_on_the_full_batch():
    """Losses before each step are exact: one that rises still moves."""
    losses, small = [8.0, 2.0, 1.0, 1.5, 1.2, 1.0, 1.0], [1.0] + [0.0] * 6
    # Swings at epochs 4 and 5 do not count; 6 and 7 stall.
    assert fires(RelativeDecrease(0.01, 2, True), losses, tol=0.01, exact=True, gradients=small) == 7
    assert fires(RelativeDecrease(0.01, 2, True), losses[:6], tol=0.01, exact=True, gradients=small) is None
    # A rise within a millionth is rounding.
    losses = [8.0, 2.0, 1.0, 1.0 + 1e-7, 1.0 + 1e-7]
    assert fires(RelativeDecrease(0.01, 2, True), losses, tol=0.01, exact=True, gradients=small) == 5


def test_the_gradient_has_to_have_decreased_on_the_full_batch():
    """8 to 1 at tol 0.01: a hundredth of the decrease may be left, so the gradient has to be at a tenth of its first.

    At tol 1e-4 that is 10 * 1e-4 / 7 of the decrease, and a share of 0.01195 of the gradient.
    """
    losses = [8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    for tol, share in ((0.01, 0.1), (1e-4, math.sqrt(1e-3 / 7))):
        for smooth, factor, epoch in ((True, 0.999, 7), (True, 1.001, None), (False, 1.001, 7)):
            gradients = [10.0] + [10.0 * share * factor] * 7
            rule = RelativeDecrease(tol, 2, smooth)
            assert fires(rule, losses, tol=tol, exact=True, gradients=gradients) == epoch, (tol, smooth, factor)


def test_all_targets_have_to_converge():
    quick, slow = [8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [8.0, 7.0, 6.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    rule = RelativeDecrease(0.01, 2, True)
    assert fires(rule, quick, tol=0.01) == 4
    assert fires(rule, slow, tol=0.01) == 9  # half way back from epoch 9 is epoch 5, the first at 1
    assert fires(rule, [list(pair) for pair in zip(quick, slow, strict=True)], tol=0.01) == 9


def test_infinite_and_missing_losses_do_not_converge():
    rule = RelativeDecrease(0.01, 2, True)
    assert fires(rule, [math.inf] * 6, start=1.0, tol=0.01) is None
    assert fires(rule, [8.0, 1.0, math.nan, math.nan, math.nan, math.nan], tol=0.01) is None
    # The count begins anew after NaN.
    assert fires(rule, [8.0, 1.0, 1.0, math.nan, 1.0, 1.0], tol=0.01) == 6


def test_a_loss_of_zero_has_converged_whatever_the_tolerance():
    """The half way mark of epoch 4 was not zero yet: what is zero to rounding need not have slowed down."""
    rule = RelativeDecrease(0.01, 2, True)
    assert fires(rule, [8.0, 4.0, 0.0, 0.0], tol=0.01) == 4
    assert fires(rule, [8.0, 4.0, 1.0, 1.0], tol=0.01) is None


# Early stopping -----------------------------------------------------------------------------------------------------


def test_patience():
    """The lowest is epoch 3's; 4 to 6 are not lower."""
    validation = [5.0, 4.0, 3.0, 3.5, 3.0, 3.1, 2.0]
    falling = [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert fires(Patience(3), falling, validation=validation) == 6
    assert fires(Patience(4), falling, validation=validation) is None  # epoch 7 is lower
    assert fires(Patience(1), falling, validation=validation) == 4


def test_patience_by_a_tolerance():
    """3 to 2.97 is 1 %: a decrease where tol is less, and none where it is more; slow decreases add up to nothing."""
    validation, falling = [5.0, 3.0, 2.97, 2.95, 2.93], [5.0, 4.0, 3.0, 2.0, 1.0]
    assert fires(Patience(2), falling, validation=validation, tol=0.02) == 4
    assert fires(Patience(2), falling, validation=validation, tol=0.001) is None
    assert fires(Patience(2), falling, validation=validation) is None


def test_swings_of_the_full_batch_are_no_overfit():
    training, validation = [5.0, 4.0, 3.0, 3.5, 3.0, 2.5, 2.0], [5.0] + [4.0] * 6
    assert fires(Patience(3), training, validation=validation) == 5  # in batches: epochs 3, 4, 5
    assert fires(Patience(3), training, validation=validation, exact=True) == 7  # 4 swings; 5, 6, 7
    assert fires(Patience(4), training, validation=validation, exact=True) is None


def test_validation_losses_of_several_targets():
    """One target that still decreases keeps the run going."""
    validation = [[5.0, 5.0], [4.0, 4.0], [4.0, 3.0], [4.0, 2.0], [4.0, 2.0], [4.0, 2.0]]
    training = [[6.0, 6.0], [5.0, 5.0], [4.0, 4.0], [3.0, 3.0], [2.0, 2.0], [1.0, 1.0]]
    assert fires(Patience(2), training, validation=validation) == 6


def test_an_infinite_validation_loss_is_no_decrease():
    training, validation = [3.0, 2.0, 1.0, 0.5], [5.0, math.inf, math.inf, math.inf]
    assert fires(Patience(2), training, validation=validation) == 3
    assert fires(Patience(2), training, validation=[math.inf, 5.0, 4.0, 3.0]) is None
    assert fires(Patience(2), training, validation=[math.inf, math.inf, 4.0, 3.0]) is None


def test_a_validation_loss_that_is_infinite_from_the_first_epoch_on():
    assert fires(Patience(2), [3.0, 2.0, 1.0, 0.5], validation=[math.inf] * 4) == 3
    r, _ = run([8.0 - k / 2 for k in range(10)], [math.inf] * 10, patience=3, standardize=False, tol=None)
    assert (r.status, r.n_epochs, r.best_epoch, r.coef[0]) == ("early_stopped", 4, None, 4.0)


# Which rules a run has ----------------------------------------------------------------------------------------------


def rules(tol=0.01, held=None, patience=5, optimizer=None, exact=True, judges_tol=False):
    """The rules of a run, and its patience."""
    plan = SimpleNamespace(automatic=False, tol=tol, held=held, options=SimpleNamespace(patience=patience))
    model = SimpleNamespace(loss=SimpleNamespace(smooth=True), optimizer=optimizer)
    solver = SimpleNamespace(exact=exact, judges_tol=judges_tol)
    return [type(rule) for rule in rules_of(plan, model, solver)], patience_of(plan, model, solver)


def test_which_rules_a_run_has():
    assert rules()[0] == [ZeroLoss, RelativeDecrease]
    assert rules(held=())[0] == [ZeroLoss, Patience]
    assert rules(tol=None)[0] == []
    assert rules(tol=None, held=())[0] == [Patience]
    assert rules(judges_tol=True)[0] == []


def test_patience_is_scaled_by_momentum():
    """A step of momentum lasts 1 / (1 - beta) steps: 10 at 0.9, 4 at 0.75, 1.43 at 0.3. In batches these are over."""
    assert rules(patience=5, optimizer=optimizers.Momentum(beta=0.9))[1] == 50
    assert rules(patience=5, optimizer=optimizers.Momentum(beta=0.75))[1] == 20
    assert rules(patience=5, optimizer=optimizers.Momentum(beta=0.3))[1] == 8  # 7.14, rounded up
    assert rules(patience=5, optimizer=optimizers.Nesterov(beta=0.9))[1] == 50
    assert rules(patience=5, optimizer=optimizers.Sgd())[1] == 5
    assert rules(patience=5)[1] == 5
    assert rules(patience=5, optimizer=optimizers.Momentum(beta=0.9), exact=False)[1] == 5


# Whole runs ---------------------------------------------------------------------------------------------------------


def test_a_run_ends_at_the_epoch_of_its_rule():
    losses = [8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    r, asked = run(losses, tol=0.01, patience=2)
    assert (r.status, r.n_epochs, len(asked)) == ("converged", 7, 7)
    assert r.message.startswith("Converged: the loss decreased by less than tol=0.01 of itself, 2 epochs in a row.")
    assert r.history.loss.tolist() == losses[:7]
    r, _ = run(losses, tol=None)
    assert (r.status, r.n_epochs) == ("max_epochs", 10)
    assert r.message.startswith("All 10 epochs are done.")
    r, _ = run([8.0, 0.5, 0.0, 0.0, 0.0], tol=1e-6, epochs=5)
    assert (r.status, r.n_epochs) == ("converged", 4)
    assert r.message.startswith("Converged: the loss is zero to rounding.")


def test_early_stopping_gives_back_the_best_epoch():
    """The weights of epoch k are k, of a model of one column: coefficient and intercept."""
    held = [5.0, 4.0, 3.0, 3.5, 3.0, 3.1, 2.0, 2.0, 2.0, 2.0]
    falling = [8.0 - k / 2 for k in range(10)]
    options = {"standardize": False, "tol": None}
    r, _ = run(falling, held, patience=3, **options)
    assert (r.status, r.n_epochs, r.best_epoch) == ("early_stopped", 6, 3)
    assert (r.coef[0], r.intercept) == (3.0, 3.0)
    assert r.loss == 6.5  # before the step of epoch 4
    assert "epoch 3, whose validation loss was the lowest" in r.message
    r, _ = run(falling, held, patience=4, **options)
    assert (r.status, r.n_epochs, r.best_epoch, r.coef[0]) == ("max_epochs", 10, 7, 7.0)


def test_resumed_at_any_epoch_it_ends_where_the_unbroken_run_does():
    losses = [8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    for cut in range(1, 7):
        part, _ = run(losses, tol=0.01, patience=2, epochs=cut)
        assert part.status == "max_epochs"
        whole, asked = run(losses, tol=0.01, patience=2, resume=part)
        assert (whole.status, whole.n_epochs, len(asked)) == ("converged", 7, 7 - cut)
        assert whole.history.loss.tolist() == losses[:7]
