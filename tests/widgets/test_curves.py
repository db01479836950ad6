import numpy as np
import pytest

from pufferbench.widgets.curves import Chart, Curves, Line, curve_keys
from pufferbench.widgets.history import History

CHARTS = (
    Chart(
        "Return", "reward", (Line("episode_return_100", "mean"), Line("episode_return", "one", "sky", True))
    ),
    Chart("Speed", "steps/s", (Line("sps"),)),
)


@pytest.fixture
def curves(monkeypatch):
    widget = Curves(CHARTS, height=100, columns=2)
    widget.sent = []
    monkeypatch.setattr(widget, "send", lambda content, buffers: widget.sent.append((content, buffers[0])))
    return widget


def record(update):
    return {"global_step": 100 * update, "update": update, "sps": 5.0, "episode_return": float(update)}


def rows_of(data, curves):
    return np.frombuffer(data).reshape(-1, len(curves.names))


def test_columns_are_the_axis_the_update_and_every_line():
    assert curve_keys(CHARTS) == ["global_step", "update", "episode_return_100", "episode_return", "sps"]


def test_flush_sends_only_what_is_new(curves):
    curves.append(record(1))
    curves.append(record(2))
    curves.flush()
    curves.flush()
    curves.append(record(3))
    curves.flush()
    assert [content for content, _ in curves.sent] == [{"epoch": 0, "start": 0}, {"epoch": 0, "start": 2}]
    np.testing.assert_array_equal(rows_of(curves.sent[1][1], curves), [[300, 3, np.nan, 3, 5]])


def test_a_page_that_loads_later_gets_everything(curves):
    for update in (1, 2, 3):
        curves.append(record(update))
    state = curves.get_state()
    assert rows_of(state["points"], curves)[:, 0].tolist() == [100, 200, 300]
    curves._handle_custom_msg({"kind": "all"}, [])
    assert curves.sent[0][0] == {"epoch": 0, "start": 0}
    assert len(rows_of(curves.sent[0][1], curves)) == 3


def test_after_halving_all_rows_are_sent_again(monkeypatch):
    curves = Curves(CHARTS, History(curve_keys(CHARTS), capacity=4))
    sent = []
    monkeypatch.setattr(
        curves, "send", lambda content, buffers: sent.append((content, len(buffers[0]) // 40))
    )
    for update in range(1, 7):
        curves.append(record(update))
        curves.flush()
    assert sent[-1] == ({"epoch": 1, "start": 2}, 1)
    assert ({"epoch": 1, "start": 0}, 2) in sent


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="colour must be one of blue.*not 'pink'"):
        Line("sps", colour="pink")
    with pytest.raises(ValueError, match="lacks columns.*: episode_return, episode_return_100, sps"):
        Curves(CHARTS, History(["global_step", "update"]))


def test_browser_files_load_nothing_from_the_net():
    from importlib.resources import files

    for file in files("pufferbench.widgets").iterdir():
        if file.name.endswith((".js", ".css")):
            text = file.read_text(encoding="utf-8")
            text = text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
            for word in ("http://", "https://", "import ", "import(", "@import", "url(http", "fetch("):
                assert word not in text, f"{file.name} has {word!r}"


def test_no_script_declares_a_name_of_what_all_scripts_share():
    """elements.js stands before each of them in the same module: a name twice, and the browser refuses it all."""
    import re
    from importlib.resources import files

    from pufferbench.widgets.assets import script

    for file in files("pufferbench.widgets").iterdir():
        if file.name.endswith(".js") and file.name != "elements.js":
            names = re.findall(r"^(?:const|let|class|function\*?) +(\w+)", script(file.name), re.MULTILINE)
            assert len(names) == len(set(names)), (
                f"{file.name}: {sorted(n for n in names if names.count(n) > 1)}"
            )
