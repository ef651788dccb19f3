"""The grid of solvers: cells that can be told apart, what is measured of one, and what is written of many."""

import itertools
import json

import numpy as np
import pytest
from scipy.optimize import approx_fprime, linprog, minimize

import fastgd

from . import data, optimum, race, report_tables, solver_cells, solver_grid, solver_tables
from .registry import OBJECTIVE, Case, Data
from .solvers import SOLVERS

CELLS = solver_cells.cells()
ROWS, WORDS = Data(300, 6), Data(200, 40, columns="text", drawn=6)


def test_cells_are_told_apart_and_have_peers():
    for case in CELLS.values():
        assert set(case.peers) <= set(SOLVERS)
        assert case.peers
        assert not set(case.peers) & set(case.out)
    of_kinds = (solver_cells.dense_cells, solver_cells.sparse_cells, solver_cells.l1_cells)
    made = [case for kind in (*of_kinds, solver_cells.wide_cells, solver_cells.classes_cells) for case in kind()]
    assert len(made) == len(CELLS)
    assert {case.options["standardize"] for case in made if "standardize" in case.options} == {False}


def test_names():
    assert [solver_cells.short(n) for n in (400, 1_797, 10_000, 60_000, 1 << 20)] == [
        "400",
        "1797",
        "1e4",
        "6e4",
        "2^20",
    ]
    assert [solver_cells.strength(a) for a in (0.0, 1e-6, 0.25)] == ["alpha=0", "alpha=1e-6", "alpha=0.25"]
    found = solver_cells.wanted(CELLS, ["gamma HEAVY alpha=0"], ["1e5"])
    assert found == [f"dense gamma heavy 1e5x{d} alpha=0" for d in (10, 50, 200)]
    with pytest.raises(SystemExit, match="no cell has 'gama'"):
        solver_cells.wanted(CELLS, ["gama"])


@pytest.mark.parametrize("columns", [name for name in data.MAKERS if name not in ("normal", "uniform", "zipf")])
def test_columns(columns):
    """What a name promises of the columns."""
    X, y = data.made(Data(3_000, 60, columns=columns, drawn=8), "log_loss")
    assert 0.3 < y.mean() < 0.7
    assert set(np.unique(y)) == {0.0, 1.0}
    if columns == "correlated":
        near = [np.corrcoef(X[:, j], X[:, j + 1])[0, 1] for j in range(59)]
        np.testing.assert_allclose(near, 0.95, atol=0.02)
    elif columns == "scaled":
        assert X.std(axis=0).max() / X.std(axis=0).min() == pytest.approx(1e6, rel=0.1)
        assert np.abs(X.mean(axis=0) / X.std(axis=0)).max() > 3
    elif columns == "heavy":
        assert set(np.unique(X[:, ::10])) == {0.0, 1.0}
        assert np.abs(X).max() > 15
    elif columns == "text":
        assert (X.data > 0).all()
        np.testing.assert_allclose(X.multiply(X).sum(axis=1), 1.0)
    elif columns == "pixels":
        assert (X.min(), X.max()) == (0.0, 1.0)


def test_several_classes():
    _, y = data.made(Data(500, 30, columns="pixels"), "multinomial")
    assert len(np.unique(y)) == 10
    _, y = data.made(Data(150, 4, columns="iris"), "hinge", several=True)
    assert len(np.unique(y)) == 3
    with pytest.raises(ValueError, match="iris is 150 x 4, not 9 x 4"):
        data.made(Data(9, 4, columns="iris"))


def test_objective_of_several_classes():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((20, 3)), np.arange(20) % 4
    w, b = random.standard_normal((4, 3)), random.standard_normal(4)
    scores = X @ w.T + b
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    joint = -np.log(shares[np.arange(20), y]).mean() + 0.05 * (w**2).sum()
    assert data.objective({"loss": "multinomial", "alpha": 0.1}, X, y, w, b) == pytest.approx(joint)
    signs = np.where(y[:, None] == np.arange(4), 1, -1)
    each = np.maximum(1 - signs * scores, 0).mean(axis=0).sum() + 0.05 * (w**2).sum()
    assert data.objective({"loss": "hinge", "alpha": 0.1}, X, y, w, b) == pytest.approx(each)


# The optimum --------------------------------------------------------------------------------------------------------


def work_of(table, loss, **options):
    several = loss in ("multinomial", "hinge")
    return race.Work.of(Case("a race", (table,), {"loss": loss, **options}, race=OBJECTIVE, several=several), table)


def start_of(work):
    many = (int(work.y.max()) + 1,) if work.case.several else ()
    return np.zeros((*many, work.data.d)), np.zeros(many)


SMOOTH = "squared_error", "log_loss", "poisson", "gamma", "squared_hinge", "huber"


@pytest.mark.parametrize("table", [ROWS, ROWS._replace(columns="heavy"), WORDS], ids=["rows", "heavy", "words"])
@pytest.mark.parametrize(("loss", "share"), [*itertools.product(SMOOTH, (0.0, 0.5)), ("multinomial", 0.0)])
def test_optimum(table, loss, share):
    """No lower objective is near: differences in all directions vanish, and with L1 Powell's steps find none."""
    work = work_of(table, loss, alpha=0.01, l1_ratio=share)
    found, (w, b) = optimum.optimum(work, start_of(work))
    assert found == pytest.approx(float(work.objective((w, b))))
    assert found < work.objective(start_of(work))
    parts = np.column_stack([w, b]).ravel() if w.ndim == 2 else np.append(w, b)

    def value(z):
        z = z.reshape(len(w), -1) if w.ndim == 2 else z
        return float(work.objective((z[..., :-1], z[..., -1])))

    if share == 0:
        np.testing.assert_allclose(approx_fprime(parts, value, 1e-7), 0, atol=1e-5)
    else:
        again = minimize(value, parts, method="Powell", options={"xtol": 1e-6, "ftol": 1e-12, "maxfev": 20_000})
        assert again.fun > found * (1 - 1e-7)


def test_optimum_of_a_quantile():
    """The linear programme of the 0.9 quantile, by HiGHS."""
    loss = fastgd.losses.Quantile(0.9)
    work = work_of(ROWS, loss)
    n, d = work.X.shape
    above = np.concatenate([np.zeros(d + 1), np.full(n, 0.9 / n), np.full(n, 0.1 / n)])
    equal = np.hstack([work.X, np.ones((n, 1)), np.eye(n), -np.eye(n)])
    bounds = [(None, None)] * (d + 1) + [(0, None)] * (2 * n)
    best = linprog(above, A_eq=equal, b_eq=work.y, bounds=bounds).fun
    assert optimum.optimum(work, start_of(work))[0] == pytest.approx(best, rel=1e-6)


def test_optimum_of_hinges():
    """Each class against the rest: the quadratic programme with a slack for each row, by SciPy's SLSQP."""
    work = work_of(Data(60, 3), "hinge", alpha=0.05)
    n, d = work.X.shape
    total = 0.0
    for k in range(3):
        signs = np.where(work.y == k, 1.0, -1.0)
        rows = np.hstack([signs[:, None] * np.column_stack([work.X, np.ones(n)]), np.eye(n)])
        end = minimize(
            lambda z: z[d + 1 :].mean() + 0.025 * z[:d] @ z[:d],
            np.concatenate([np.zeros(d + 1), np.ones(n)]),
            jac=lambda z: np.concatenate([0.05 * z[:d], [0.0], np.full(n, 1 / n)]),
            constraints={"type": "ineq", "fun": lambda z, rows=rows: rows @ z - 1, "jac": lambda z, rows=rows: rows},
            bounds=[(None, None)] * (d + 1) + [(0, None)] * n,
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 1_000},
        )
        total += end.fun
    assert optimum.optimum(work, start_of(work))[0] == pytest.approx(total, rel=1e-5)


# Climbs that are bounded --------------------------------------------------------------------------------------------


def test_a_dear_climb_ends():
    calls = []

    def solver(effort):
        def run():
            calls.append(effort)
            return 1.0 / effort

        return run

    climb = race.Climb(race.Work(Case("", (), {}), None, None, None), solver, (1, 2, 3))
    climb.dear = 0.0
    assert climb.first(0.5) is None
    assert calls == [1, 1]
    assert climb.objectives == [1.0]


def test_an_endless_run_is_ended():
    def solver(effort):
        def run():
            while True:
                pass

        return run

    with pytest.raises(race.TooLong), race.alarm(0.02):
        solver(1)()
    with race.alarm(np.inf):
        pass


# Files and tables ---------------------------------------------------------------------------------------------------


def line(name="dense log_loss plain 1e5x50 alpha=0", threads=1, mine=0.02, peers=None, slower=None):
    mine = mine and {
        "cpu": [mine] * 3,
        "wall": [mine] * 3,
        "effort": 1e-3,
        "above": 1e-7,
        "epochs": 4,
        "status": "converged",
    }
    peers = {"a": 0.1, "b": 0.03} if peers is None else peers
    peers = {who: {"cpu": [s] * 3, "wall": [s] * 3, "effort": 8, "above": 0.0} for who, s in peers.items()}
    target = {
        "fastgd": mine,
        "peers": peers,
        "out": {"c": "has none", "d": "ends 1 above"},
        "slower": slower or {"d": 40.0},
    }
    floors = {"a": 3.0, "b": 3.0}
    more = {"floors": floors, "left out": {"e": "is beta"}, "optimum": 1.0}
    return {"cell": name, "threads": threads, "targets": dict.fromkeys(race.TARGETS, target), **more}


def test_tables(tmp_path):
    lines = [
        line(),
        line(threads=2, mine=None),
        line("dense log_loss heavy 1e5x50 alpha=0", peers={}),
        line("x", peers={}),
    ]
    lines[-1] = {"cell": "sparse log_loss", "threads": 1, "failed": "ended with code 1"}
    solver_tables.write(lines, tmp_path, "cpu", checked=True)
    text = (tmp_path / "solvers.md").read_text()
    assert "| 1 | 20 ms | 20 ms | 4, 4 | 1.5 b | 1.5 b | 1.5 (1.5 to 1.5) b; 5 (5 to 5) a; > 40 d; c has none |" in text
    assert "> 40 d" in text
    assert "nobody else reaches it" in text
    assert "b reaches it, in 30 ms" in text
    assert "ended with code 1" in text
    assert next(solver_tables.missed(lines, "cpu"))[2:] == ("to 1e-3", "1.5", "b", "3")
    assert len((tmp_path / "solvers.csv").read_text().splitlines()) > 10
    rows = report_tables.table(("",) * 7, solver_tables.overview(lines, "cpu"))
    assert "| dense | log_loss | 1e5 | 1 | 2 | 1.5, least 1.5 (b) |" in rows
    assert any("> 40 d" in part for part in solver_tables.printed(lines[0], "cpu"))


def test_half_a_line_is_none(tmp_path):
    path = tmp_path / "solvers.jsonl"
    path.write_text(json.dumps(line()) + "\n" + json.dumps(line(mine=0.5)) + "\n" + '{"cell": "dense')
    assert [one["targets"]["to 1e-3"]["fastgd"]["cpu"][0] for one in solver_tables.lines_of(path)] == [0.5]


def test_who_does_not_come_back_is_left_out(monkeypatch, tmp_path):
    told = []

    def process(words, threads, patience, heard):
        told.append(words)
        with open(words[words.index("--lines") + 1], "a") as file:
            if len(told) == 1:
                file.write('{"cell": "x", "trying": "glum"}\n')
            elif len(told) == 2:
                file.write('{"found": {"cell": "x"}}\n{"cell": "y", "trying": "fastgd"}\n{"cell')
        return "took more than 1 seconds" if len(told) < 3 else ""

    monkeypatch.setattr(solver_grid.report, "process", process)
    given, taken = solver_grid.argparse.Namespace(repeats=1, peers=[], smoke=False, patience=1.0), []
    solver_grid.Group(["x", "y"], 1, given, taken.append).run()
    assert taken == [{"cell": "x"}, {"cell": "y", "threads": 1, "failed": "took more than 1 seconds"}]
    assert "x without glum" in told[1]


@pytest.mark.slow
def test_smoke(tmp_path, capfd):
    words = ["classes multinomial iris alpha=1e-3", "dense log_loss scaled 1e4x10 alpha=1e-3"]
    assert solver_grid.main([*words, "--smoke", "--peers", "scikit-learn, lbfgs", "--to", str(tmp_path)]) == 0
    assert "2 of 2 cells" in capfd.readouterr().out
    measured = solver_tables.lines_of(tmp_path / "solvers.smoke.jsonl")[1:]
    assert len(measured) == 2
    for one in measured:  # a time, or how much longer it takes at least
        found = one["targets"]["to 1e-6"]
        assert "scikit-learn, lbfgs" in found["peers"] | found["slower"]
    given = ["--tables", "--to", str(tmp_path)]
    (tmp_path / "solvers.smoke.jsonl").rename(tmp_path / "solvers.jsonl")
    page = tmp_path / "page.md"
    page.write_text("# Speed\n<!-- table of solvers -->\n\n<!-- end -->\n")
    assert solver_grid.main([*words, *given, "--into", str(page)]) == 0
    assert "| dense | log_loss | 1e4 | 1 | 1 |" in page.read_text()
    assert "Measured on processor: " in page.read_text()
