"""What ``print`` and notebooks show of results, and whether runs of a sweep can be compared."""

from html.parser import HTMLParser

import numpy as np
import pytest

import fastgd
from fastgd.wording import count

RNG = np.random.default_rng(3)
X = RNG.standard_normal((80, 3)) * [1.0, 100.0, 0.01] + [5.0, 0.0, 0.0]
Y = X @ [1.0, -0.05, 30.0] + 7 + 0.3 * RNG.standard_normal(80)
FEW = {"learning_rate": 0.02, "epochs": 4}


class Checked(HTMLParser):
    """Raises where tags do not nest, and keeps the text and the attributes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.attributes = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def frame(values, names):
    return pytest.importorskip("pandas").DataFrame(values, columns=names)


def test_a_fit_shows_its_largest_coefficients_by_their_columns_spread():
    r = fastgd.fit(frame(X, ["age", "in<come", "owns"]), Y)
    lines = repr(r).splitlines()
    assert lines[0] == "FitResult: converged after 2 epochs (2 steps)"
    assert f"  training rows: R2 {r.score(X, Y):.4f}" in lines
    at = lines.index("  largest coefficients:")
    assert lines[at + 1].split("  ")[-1] == "times spread"
    rows = [line.split() for line in lines[at + 2 : at + 5]]
    scaled = r.coef * X.std(axis=0)
    order = np.argsort(-abs(scaled))
    assert [row[0] for row in rows] == [["age", "in<come", "owns"][j] for j in order]
    np.testing.assert_allclose([float(row[1]) for row in rows], r.coef[order], rtol=1e-3)
    np.testing.assert_allclose([float(row[2]) for row in rows], scaled[order], rtol=1e-3)
    page = Checked(r._repr_html_())
    assert "in<come" in page.words and "R2" in " ".join(page.words)
    assert {name for name, _ in page.attributes} == {"scope"}  # no style: themes hold


def test_what_is_explained_is_named_by_the_loss_and_the_start():
    positive = np.abs(Y)
    assert "  training rows: R2 " in repr(fastgd.fit(X, Y, alpha=0.1))
    for loss, y in (("gamma", positive), ("log_loss", Y > 7)):
        r = fastgd.fit(X, y, loss=loss, alpha=1e-3)
        line = next(line for line in repr(r).splitlines() if "training rows" in line)
        assert line.endswith("of the loss of a constant is explained")
        if loss == "gamma":
            assert float(line.split()[2]) == pytest.approx(r.score(X, y), abs=1e-3)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert "of the loss at zero is explained" in repr(fastgd.fit(Z, Y, **FEW))
    assert "about " in repr(fastgd.fit(Z, Y, batch_size=10, random_state=0, **FEW))


def test_classes_and_targets_are_named():
    kinds = np.array(["a", "b", "c"])[np.digitize(Y, [5, 9])]
    assert " (class c)" in repr(fastgd.fit(X, kinds, loss="multinomial", alpha=0.1, epochs=2))
    text = repr(fastgd.fit(X, np.column_stack([Y, -Y])))
    assert " (target 1)" in text and "largest coefficients of 6:" in text


def test_nothing_is_read_again(tmp_path, monkeypatch):
    r = fastgd.fit(X, Y)
    r.save(tmp_path / "r.npz")
    other = fastgd.load(tmp_path / "r.npz")
    assert repr(other) == repr(r) and other._repr_html_() == r._repr_html_()
    assert other.score(X, Y) == r.score(X, Y)


def test_plurals():
    assert count(1, "step") == "1 step"
    r = fastgd.fit(X, Y, **{**FEW, "learning_rate": 1e-6, "epochs": 1})
    assert repr(r).startswith("FitResult: max_epochs after 1 epoch (1 step)")


# Sweeps -------------------------------------------------------------------------------------------------------------


def test_different_losses_are_not_ranked():
    s = fastgd.sweep(X, Y, loss=["squared_error", "huber"], standardize=True, **FEW)
    assert s.table()["loss"] == ["squared_error", "huber"]
    assert s.table()["objective"] == s.losses.tolist()
    for name in ("best", "best_index", "best_settings"):
        with pytest.raises(ValueError, match=r"different losses \(squared_error, huber\).*cv=5, scoring=\"r2\""):
            getattr(s, name)
    assert "note: The runs have different losses" in repr(s) and "best:" not in repr(s)
    page = " ".join(Checked(s._repr_html_()).words)
    assert "all runs" in page and "huber" in page
    c = fastgd.sweep(X, Y, loss=["squared_error", "huber"], standardize=True, cv=2, **FEW)
    with pytest.raises(ValueError, match="different losses"):
        _ = c.best
    assert "note: The runs have" in repr(c)
    with pytest.raises(ValueError, match="different losses"):
        fastgd.sweep(X, Y, loss=["squared_error", "huber"], cv=2, refit=True)
    c = fastgd.sweep(X, Y, loss=["squared_error", "huber"], standardize=True, cv=2, scoring="r2", **FEW)
    assert c.table()["mean_score"][c.best_index] == max(c.table()["mean_score"])
    assert f"mean score {max(c.table()['mean_score']):.6g}" in repr(c)


@pytest.mark.parametrize(("settings", "words"), [
    ({"alpha": [0.0, 0.1]}, "alpha varies and .* favours the weakest penalty: pass cv=5 or validation=0.2"),
    ({"alpha": 0.1, "l1_ratio": [0.0, 1.0]}, "l1_ratio varies"),
    ({"bounds": [(0, 1), (0, None)]}, "bounds varies and .* weakest bounds"),
    ({"loss": fastgd.losses.Huber([1.0, 2.0])}, 'delta of the loss varies, .*Pass cv=5, scoring="r2"'),
])  # fmt: skip
def test_settings_that_decide_by_themselves_are_said(settings, words):
    s = fastgd.sweep(X, Y, standardize=True, **settings, **FEW)
    with pytest.warns(UserWarning, match=words) as told:
        _ = s.best
    assert told[0].filename == __file__
    assert f"note: {s.comparability.caution}" in repr(s)


def test_held_out_rows_compare_penalties():
    s = fastgd.sweep(X, Y, standardize=True, alpha=[0.0, 0.1], validation=0.3, random_state=0, **FEW)
    assert (
        s.comparability
        == fastgd.sweep(X, Y, standardize=True, alpha=[0.0, 0.1], cv=2, **FEW).comparability
        == (None, None)
    )
    assert s.best is s.results[s.best_index] and "validation loss" in repr(s)


def test_other_results_have_pages_too():
    o = fastgd.minimize(lambda x: x**2, 10.0, lambda x: 2 * x, max_iter=3)
    f = fastgd.lr_find(X, Y)
    for result in (o, f):
        words = Checked(result._repr_html_()).words
        assert result.message in words and words[0] == repr(result).splitlines()[0]


def test_many_runs_are_cut_in_notebooks():
    s = fastgd.sweep(X, Y, standardize=True, learning_rate=np.geomspace(1e-3, 1e-2, 12), epochs=2)
    page = Checked(s._repr_html_())
    assert "the best 10 of 12 runs" in page.words
