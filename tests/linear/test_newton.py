"""``optimizer="newton"``: the default's steps over all rows, asked for by name."""

import numpy as np
import pytest

import fastgd
from fastgd.__main__ import main

RNG = np.random.default_rng(3)
X = RNG.standard_normal((60, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.standard_normal(60)
SIDE = np.where(Y > 0, "yes", "no")


def test_it_is_the_default_by_name(tmp_path):
    r, usual = fastgd.fit(X, Y, optimizer="newton"), fastgd.fit(X, Y)
    assert (r.options["optimizer"], r.options["solver"]) == ("newton", "quasi_newton")
    assert (r.coef.tolist(), r.choices, r.options) == (usual.coef.tolist(), usual.choices, usual.options | {
        "random_state": r.options["random_state"]
    })  # fmt: skip
    path = tmp_path / "model.npz"
    r.save(path)
    assert fastgd.load(path).options["optimizer"] == "newton"
    for optimizer in ("newton", "auto"):
        assert fastgd.fit(X, Y, optimizer=optimizer, resume=path).coef.tolist() == r.coef.tolist()
    assert fastgd.reference.fit(X, Y, optimizer="newton").options["solver"] == "quasi_newton"


def test_losses_made_of_lines_have_the_interior_point():
    r = fastgd.fit(X, SIDE, loss="hinge", alpha=0.1, optimizer="newton")
    assert (r.options["optimizer"], r.options["solver"]) == ("newton", "interior_point")


def test_sweeps_and_estimators_take_it(tmp_path, capfd):
    s = fastgd.sweep(X, Y, optimizer=["newton", "momentum"], alpha=[0.1, 1.0])
    assert [r.options["solver"] for r in s.results] == ["quasi_newton"] * 2 + ["first_order"] * 2
    m = fastgd.SGDRegressor(optimizer="newton").fit(X, Y)
    assert m.choices_["solver"].startswith("quasi_newton")
    np.savetxt(tmp_path / "rows.csv", np.column_stack([X, Y]), delimiter=",", header="a,b,c,y", comments="")
    assert main(["fit", str(tmp_path / "rows.csv"), "--target", "y", "--optimizer", "newton"]) == 0
    assert "quasi_newton" in capfd.readouterr().out


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"learning_rate": 0.1},
            "finds the lengths of its steps by itself, but learning_rate is given: leave",
        ),
        ({"average": True}, "average is given"),
        ({"batch_size": 8}, r"not possible here: quasi_newton does not suit \(a step takes a part of the rows\)"),
        ({"loss": "perceptron", "alpha": 0.1, "l1_ratio": 0.5}, r"\(the loss has no second derivative\)"),
    ],
)
@pytest.mark.parametrize("fit", [fastgd.fit, fastgd.sweep, fastgd.reference.fit])
def test_where_it_does_not_suit_it_says_why(fit, options, words):
    with pytest.raises(ValueError, match=rf'^optimizer="newton" .*{words}'):
        fit(X, SIDE if "loss" in options else Y, optimizer="newton", **options)


def test_calls_of_single_steps_have_none():
    with pytest.raises(ValueError, match=r'^optimizer="newton" has no learning rate to look for'):
        fastgd.lr_find(X, Y, optimizer="newton")
    with pytest.raises(ValueError, match="the data come in chunks"):
        fastgd.partial_fit(X, Y, optimizer="newton")


@pytest.mark.parametrize("name", ["newton", "bfgs", "L-BFGS-B"])
def test_functions_are_sent_to_scipy(name):
    """Fit's default is none for them."""
    for call in (fastgd.minimize, fastgd.reference.minimize, fastgd.minimize_sweep):
        with pytest.raises(ValueError, match=rf"^optimizer='{name}' is not known\. .*use scipy\.optimize\.minimize\("):
            call(lambda x: x * x, 1.0, optimizer=name)
