"""The grid of ``python -m benchmarks solvers``: each cell a race to an objective, named by what it is.

``dense log_loss correlated 1e5x50 alpha=1e-6``: a word finds it where it is a part of the name.
"""

import itertools

import fastgd

from .registry import OBJECTIVE, Case, Data

LOSSES = "log_loss", "poisson", "gamma", "squared_hinge", "huber", "quantile"
COLUMNS = {"plain": "normal", "correlated": "correlated", "scaled": "scaled", "heavy": "heavy"}
ALPHAS = 0.0, 1e-6, 1e-3
QUANTILE = 0.9

NEWTON, LBFGS, TORCH = "scikit-learn, newton-cholesky", "scikit-learn, lbfgs", "PyTorch, L-BFGS"
SAGA, SGD = "scikit-learn, saga", "scikit-learn, SGD"
LIBLINEAR, DUAL = "scikit-learn, liblinear", "scikit-learn, liblinear, dual"
SPARSE_TORCH = {TORCH: "calls its sparse rows a beta"}
FAR = {SGD: "its rates end 1e-3 above the optimum and higher"}

# Who minimises a loss with L2, and who does not for which reason
PEERS = {
    "log_loss": ((LBFGS, NEWTON, LIBLINEAR, SAGA, "skglm", "glum", "Snap ML", TORCH), FAR),
    "poisson": ((LBFGS, NEWTON, "skglm", "glum", TORCH), {"Snap ML": "has no such loss"}),
    "gamma": ((LBFGS, NEWTON, "skglm", "glum", TORCH), {"Snap ML": "has no such loss"}),
    "squared_hinge": (
        (LIBLINEAR, DUAL, TORCH),
        {**FAR, "skglm, glum, Snap ML": "have no such loss"},
    ),
    "huber": (
        ("skglm", TORCH),
        {**FAR, "scikit-learn, HuberRegressor": "fits the scale of the residuals too", "glum, Snap ML": "have none"},
    ),
    "quantile": (("scikit-learn, highs", TORCH), {"skglm": "has no intercept there", "glum, Snap ML": "have none"}),
    "squared_error": (
        ("scikit-learn, Ridge cholesky", "scikit-learn, Ridge lsqr", "skglm", "glum", "Snap ML", TORCH),
        {},
    ),
    "hinge": ((SGD, DUAL, "Snap ML"), {"skglm, glum": "have none with an intercept"}),
    "multinomial": (
        (LBFGS, NEWTON, SAGA, TORCH),
        {"skglm, glum": "have none", "Snap ML": "takes each against the rest"},
    ),
}
L1_PEERS = {
    "squared_error": ("scikit-learn, coordinates", "scikit-learn, coordinates, Gram", "skglm", "glum", "Snap ML"),
    "log_loss": (LIBLINEAR, SAGA, "skglm", "glum", "Snap ML"),
}
NO_PENALTY = {  # who needs one
    "Snap ML": "asks for a penalty",
    "scikit-learn, saga": "without a penalty its steps need thousands of epochs",
    LIBLINEAR: "asks for a penalty",
    DUAL: "asks for a penalty",
}
WIDE_SPARSE = 5_000  # columns from which a d x d matrix is not for sparse rows
MATRICES = {NEWTON, "glum"}

# How many times ahead of every peer a cell is to be
AHEAD = {"n>=1e5": 3.0, "n<1e5": 1.0, "sparse": 5.0, "other": 1.0}


def short(number):
    """10,000 as 1e4, powers of two as such, others as they are."""
    if number >= 1 << 16 and number & (number - 1) == 0:
        return f"2^{number.bit_length() - 1}"
    head, zeros = number, 0
    while head and head % 10 == 0:
        head, zeros = head // 10, zeros + 1
    return f"{head}e{zeros}" if zeros > 3 and head < 10 else str(number)


def strength(alpha):
    """In the shortest way: 0.001 as 1e-3, but 0.25 as it is."""
    head, _, power = f"{alpha:e}".partition("e-")
    scientific = f"{float(head):g}e-{int(power or 0)}"
    return f"alpha={min(f'{alpha:g}', scientific, key=len)}"


def cell(kind, loss, columns, data, floor, several=False, **penalty):
    """A case of the grid. The penalty acts on the columns as they are, for everyone."""
    alpha, share = penalty.get("alpha", 0.0), penalty.get("l1_ratio", 0.0)
    sparse = data.drawn > 0
    given = fastgd.losses.Quantile(QUANTILE) if loss == "quantile" else loss
    options = {"loss": given, **penalty} | ({"standardize": False} if alpha else {})
    peers, out = PEERS[loss]
    if share:
        peers, out = L1_PEERS[loss], {TORCH: "is for what is smooth"}
    out = dict(out)
    if 0 < share < 1:
        out |= dict.fromkeys({LIBLINEAR, "Snap ML"} & set(peers), "has no elastic net")
    if loss == "quantile" and alpha:
        peers, out = (TORCH,), {"scikit-learn, highs": "has L1 alone", **out}
    if sparse and loss == "squared_error" and not share:
        peers = ("scikit-learn, Ridge lsqr", "scikit-learn, Ridge sparse_cg", "skglm", "glum", "Snap ML")
    if not alpha:
        out |= {name: why for name, why in NO_PENALTY.items() if name in peers}
    if sparse:
        out |= SPARSE_TORCH | {"scikit-learn, coordinates, Gram": "is for dense rows"}
        if data.d > WIDE_SPARSE:
            out |= dict.fromkeys(MATRICES & set(peers), f"makes a matrix of {data.d:,} x {data.d:,}")
    peers = tuple(name for name in peers if name not in out)
    l1 = {0.0: "", 1.0: "l1 "}.get(share, f"l1_ratio={share:g} ")
    name = f"{kind} {loss} {columns} {short(data.n)}x{short(data.d)} {l1}{strength(alpha)}"
    small = data if data.n < 2_000 else data._replace(n=600, d=min(data.d, 12 if not sparse else 60))
    small = small._replace(drawn=min(small.drawn, 8))
    floors = dict.fromkeys(peers, AHEAD[floor])
    return Case(name, (data,), options, peers, out, race=OBJECTIVE, small=small, floors=floors, several=several)


def dense_cells():
    sizes = itertools.product((10_000, 100_000, 1_000_000), (10, 50, 200))
    for (n, d), (word, columns), loss, alpha in itertools.product(sizes, COLUMNS.items(), LOSSES, ALPHAS):
        floor = "n>=1e5" if n >= 100_000 else "n<1e5"
        yield cell("dense", loss, word, Data(n, d, columns=columns), floor, alpha=alpha)


SPARSE = (  # the first four are to be 5 times ahead
    (Data(100_000, 1_000, columns="uniform", drawn=10), "hashed", "sparse"),
    (Data(20_000, 10_000, columns="text", drawn=40), "text", "sparse"),
    (Data(20_000, 200_000, columns="text", drawn=75), "text", "sparse"),
    (Data(1_000_000, 1 << 20, columns="uniform", drawn=30), "hashed", "sparse"),
    (Data(400, 3_000, columns="text", drawn=40), "text", "other"),
    (Data(400, 1 << 20, columns="uniform", drawn=40), "hashed", "other"),
)


def sparse_cells():
    losses = "log_loss", "squared_error", "poisson", "squared_hinge"
    for (data, word, floor), loss, alpha in itertools.product(SPARSE, losses, (1e-6, 1e-4, 1e-2)):
        yield cell("sparse", loss, word, data, floor, alpha=alpha)


def l1_cells():
    """Strengths that leave about a tenth and a hundredth of the columns."""
    dense, wide = Data(50_000, 200), Data(2_000, 2_000)
    rows, words = SPARSE[0][0], SPARSE[1][0]
    for data, word, strengths in (
        (dense, "plain", {"squared_error": (0.1, 0.2), "log_loss": (0.03, 0.06)}),
        (dense._replace(columns="correlated"), "correlated", {"squared_error": (0.05, 0.3), "log_loss": (0.02, 0.1)}),
        (wide, "plain", {"squared_error": (0.06, 0.12), "log_loss": (0.03, 0.05)}),
        (rows, "hashed", {"squared_error": (2e-4, 5e-4), "log_loss": (1e-4, 2.5e-4)}),
        (words, "text", {"squared_error": (2e-4, 1e-3), "log_loss": (1e-4, 5e-4)}),
    ):
        kind = "sparse" if data.drawn else "dense"
        for loss, share in itertools.product(strengths, (1.0, 0.5)):
            for alpha in strengths[loss]:
                yield cell(kind, loss, word, data, "other", alpha=alpha / share, l1_ratio=share)


def wide_cells():
    for loss, alpha in itertools.product(("log_loss", "squared_error"), (1e-3, 1e-2)):
        made = cell("wide", loss, "plain", Data(2_000, 20_000), "other", alpha=alpha)
        peers = tuple(name for name in made.peers if name not in MATRICES)
        gone = {name: "makes a matrix of 20,000 x 20,000" for name in made.peers if name in MATRICES}
        yield made._replace(peers=peers, out=made.out | gone, floors=dict.fromkeys(peers, 1.0), small=Data(60, 200))


SEVERAL = (
    (Data(1_797, 64, columns="digits"), "digits"),
    (Data(150, 4, columns="iris"), "iris"),
    (Data(178, 13, columns="wine"), "wine"),
    (Data(60_000, 784, columns="pixels"), "pixels"),
    (Data(20_000, 10_000, columns="text", drawn=40), "text"),
)


def classes_cells():
    for (data, word), loss in itertools.product(SEVERAL, ("multinomial", "hinge")):
        for alpha in (1e-4, 1e-3):
            yield cell("classes", loss, word, data, "other", several=True, alpha=alpha)
    many = Data(20_000, 100, columns="hundred")
    for alpha in (1e-4, 1e-3):
        yield cell("classes", "hinge", "hundred", many, "other", several=True, alpha=alpha)
        for loss, n in itertools.product(("hinge", "squared_error"), (10_000, 100_000)):
            floor = "n>=1e5" if n >= 100_000 else "n<1e5"
            yield cell("dense", loss, "plain", Data(n, 50), floor, alpha=alpha)


SMOKE = (
    "dense log_loss scaled 1e4x10 alpha=1e-3",
    "sparse log_loss hashed 1e5x1000 alpha=1e-4",
    "classes multinomial iris",
)


def cells():
    """All of them, by name."""
    every = itertools.chain(dense_cells(), sparse_cells(), l1_cells(), wide_cells(), classes_cells())
    return {case.name: case for case in every}


def wanted(names, words, rows=()):
    """The names with all words of one of the arguments in them, of tables with so many rows."""
    sought = [word.lower().split() for word in words]
    found = [name for name in names if not sought or any(all(w in name.lower() for w in group) for group in sought)]
    if rows:
        sizes = {short(int(float(count))) for count in rows}
        found = [name for name in found if any(part.partition("x")[0] in sizes for part in name.split())]
    if not found:
        raise SystemExit(
            f"no cell has {' or '.join(map(repr, words)) or 'so many rows'}; a name is like: {next(iter(names))}"
        )
    return found
