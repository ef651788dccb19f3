"""README and docs/: snippets print what pages show, links lead somewhere, tables are those of the classes."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import snippets

import fastgd

ROOT = Path(__file__).parent.parent
README, DOCS = ROOT / "README.md", ROOT / "docs"
AUTO, OWN_MODELS = DOCS / "how_it_works" / "auto.md", DOCS / "guide" / "own_models.md"
PAGES = {str(page.relative_to(ROOT).with_suffix("")): page for page in snippets.pages() if page != OWN_MODELS}


@pytest.fixture
def a_folder(tmp_path, monkeypatch):
    """An empty folder to run a page in; what pages set is set back."""
    monkeypatch.chdir(tmp_path)
    pytest.importorskip("matplotlib").use("Agg")
    settings = np.get_printoptions()
    yield tmp_path
    np.set_printoptions(**settings)
    pytest.importorskip("matplotlib.pyplot").close("all")


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.filterwarnings("ignore::fastgd.DivergenceWarning")  # pages show that large rates diverge
@pytest.mark.parametrize("page", PAGES)
def test_a_page(page, a_folder):
    """Its snippets run, in order, and print what it shows."""
    for _block, _printed in snippets.run(PAGES[page]):
        pass


@pytest.mark.slow
@pytest.mark.jit
def test_the_page_on_own_models(a_folder):
    """As any other; beside that, what it says of its results holds, and its picture is drawn."""
    names = {}
    assert [*snippets.run(OWN_MODELS, names)]
    net = names["net"]
    assert net.n_epochs - net.history.validation_fun.argmin() == 11
    assert names["small"].x["W2"].max() <= 1.0
    missed = 2 * names["m"].history.validation_fun.min()
    assert 0.3**2 / 2 < missed < 1.5 * 0.3**2, "the noise, and little more"
    script = runpy.run_path(str(OWN_MODELS.with_suffix(".py")))
    script["draw"](net, a_folder / "own_models.png")
    pixels = pytest.importorskip("matplotlib.pyplot").imread(a_folder / "own_models.png")[..., :3]
    assert 1e-3 < (pixels.max(axis=2) - pixels.min(axis=2) > 0.3).mean() < 0.2, "lines"


@pytest.mark.slow
@pytest.mark.jit
def test_the_picture_of_the_default(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    script = runpy.run_path(str(AUTO.with_suffix(".py")))
    script["main"](tmp_path / "auto.png", passes=300, of_sgd=20)
    pixels = plt.imread(tmp_path / "auto.png")[..., :3]
    coloured = (pixels.max(axis=2) - pixels.min(axis=2) > 0.3).mean()
    assert 1e-3 < coloured < 0.2, "lines"
    X, y = script["load_diabetes"](return_X_y=True, scaled=False)
    losses = script["curves"](X, y, passes=300, of_sgd=20)
    ends = [script["excess"](X, y)(found)[-1] for found in losses.values()]
    assert ends[-1] < 1e-9
    assert min(ends[:-1]) > 0
    assert ends[0] > ends[1] > ends[2]
    assert ends[4] > 1e10 > 1 > ends[3]


def test_links():
    for page in (*PAGES.values(), OWN_MODELS, DOCS / "index.md", ROOT / "CONTRIBUTING.md"):
        for name in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if not name.startswith("http") and "auto_gallery" not in name:  # Sphinx, which makes the gallery, finds it
                assert (page.parent / name).exists(), (page, name)


def test_the_map_has_every_folder():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for folder in (ROOT / "fastgd").iterdir():
        if (folder / "__init__.py").exists():
            assert f"  {folder.name}/" in text, f"CONTRIBUTING's map lacks {folder.name}/"


def test_numbers_of_speed_in_readme_are_measured():
    rows = re.findall(r"^\| .* \| .* \| .*\d.* \|$", README.read_text().partition("## How fast")[2], re.MULTILINE)
    measured = {*re.findall(r"[\d.]+", (DOCS / "performance" / "index.md").read_text())}
    assert len(rows) >= 5
    for row in rows:
        missing = {*re.findall(r"[\d.]+", row.rpartition(" | ")[2])} - measured
        assert not missing, (row, missing)


def test_every_public_name_has_a_page():
    listed = set(re.findall(r"^   (\w+)$", (DOCS / "api" / "index.rst").read_text(), re.MULTILINE))
    assert {*fastgd.__all__} - {"reference"} <= listed


def test_the_tables_are_the_classes():
    script = runpy.run_path(str(DOCS / "tables.py"))
    for write, name in (("written", "CHOOSING"), ("written_protocols", "PARTS")):
        page = script[name].read_text()
        assert script[write](page) == page, "run python docs/tables.py"
