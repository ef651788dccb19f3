"""The documentation site: ``python -m sphinx -W docs build/html`` builds it, without the network."""

import sys
import warnings
from pathlib import Path

import latex2mathml.converter
from docutils.nodes import SkipNode

import fastgd

sys.path.insert(0, str(Path(__file__).parent))  # where gallery_style is

project = "fastgd"
author = "the authors of fastgd"
copyright = f"2026, {author}"
version = release = fastgd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.githubpages",  # writes .nojekyll, so that GitHub's host serves folders that begin with an underscore
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["gallery", "auto_gallery/*.ipynb", "auto_gallery/*.py", "auto_gallery/*.md5"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# A page for each public name: the modules' __all__ say which.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # docstrings say the types
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "fastgd"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {name: [] for name in ("index", "getting_started", "faq", "changes", "contributing")}  # none below them
html_copy_source = html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "doc_module": ("fastgd",),
    "backreferences_dir": "auto_gallery/backreferences",
    "within_subsection_order": "gallery_style.TeachingOrder",
    "reset_modules": ("matplotlib", "gallery_style.reset"),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1_000_000,  # times of a busy machine tell a reader nothing
}
warnings.filterwarnings("ignore", message=".*Agg, and thus cannot be shown", category=UserWarning)


def mathml(writer, node, display):
    """Write a formula as MathML, which browsers draw by themselves: no script has to be loaded for it."""
    text = latex2mathml.converter.convert(node.astext(), display=display)
    writer.body.append(f'<div class="math">{text}</div>' if display == "block" else text)


def inline_math(writer, node):
    mathml(writer, node, "inline")
    raise SkipNode


def block_math(writer, node):
    mathml(writer, node, "block")
    raise SkipNode


def of_sklearn(app, what, name, member, skip, options):
    """Leave out what estimators inherit from scikit-learn, whose pages describe it, and how histories are made."""
    inherited = str(getattr(member, "__module__", "")).startswith("sklearn.")
    return True if inherited or name in ("n_features_in_", "of") or name.endswith("_request") else None


def setup(app):
    app.connect("autodoc-skip-member", of_sklearn)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
