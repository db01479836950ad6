"""The web pages: Sphinx over the files where they are. Nothing is executed, nothing comes from the net.

    sphinx-build -W -c pufferbench/docs . build/docs        # in the clone's top folder; then open build/docs/index.html

README.md, the lessons, the labs, the gallery and the guides are the very files that one reads in the repository; what
only a website needs (tables of contents, pages of the games) is added here, while they are read.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import pufferbench  # noqa: E402

project = "PufferBench"
version = release = pufferbench.__version__
author = "the PufferBench authors"
project_copyright = author

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",  # beside this file, as the next two
    "docstrings",
    "pages",
]
root_doc = "README"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "tutorials/*",
    "notebooks/*",
    "notebooks/assignments/README.md",
    "ocean_numba/README.md",
    "pufferbench/docs/**",
]
exclude_patterns = [".*", "**/.*", "build", "dist", "runs", "pufferbench-lab", "**/__pycache__"]
suppress_warnings = ["ref.python"]  # fields of the same name in several classes: none is meant
default_role = "code"  # `x` in a docstring, as in Markdown

# Lessons are committed with their outputs, which are shown as they are
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autosummary_generate = False
toc_object_entries_show_parents = "hide"
viewcode_line_numbers = True

html_theme = "pydata_sphinx_theme"
html_title = "PufferBench"
html_favicon = "static/icon.svg"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {
        "text": "PufferBench",
        "image_light": "static/icon.svg",
        "image_dark": "static/icon.svg",
        "alt_text": "PufferBench",
    },
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars: dict[str, list[str]] = {"README": [], "ocean_numba/README": [], "CONTRIBUTING": []}
html_context = {"default_mode": "auto"}
pygments_style = "a11y-high-contrast-light"


def copy_landing_page(app: Any, error: Exception | None) -> None:
    """README.html is also index.html, which servers and people look for."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")


def setup(app: Any) -> None:
    app.connect("build-finished", copy_landing_page)
