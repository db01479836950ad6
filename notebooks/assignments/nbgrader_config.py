"""Settings of the course for nbgrader, for `nbgrader ...` and for `puffer class ...` alike."""

from pathlib import Path

c = get_config()  # noqa: F821  (nbgrader defines it)
here = Path(__file__).resolve().parent

c.CourseDirectory.root = str(here)
# Several submissions are graded at once: who finds the gradebook busy waits for up to a minute, instead of failing.
c.CourseDirectory.db_url = f"sqlite:///{(here / 'gradebook.db').as_posix()}?timeout=60"
# run: the folder of a training. It is never released, and grading a notebook trains anew.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "run"]
# No graded cell needs 10 s. A slow machine may take longer; an endless loop must not hold up the others.
c.Execute.timeout = 60
# Without this, how long each cell took is lost, and `puffer class report` could not say which are slow.
c.ClearMetadataPreprocessor.preserve_cell_metadata_mask = {"nbgrader", "execution"}
