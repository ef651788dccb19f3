"""The report: what a page and the documentation's table show of results, and one case from end to end."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from . import cases, measure, measured, registry, report, report_page, report_tables

ODD_NAME = 'a <b>case</b> & "its" $x$'


def race(**more):
    known = {
        "size": "100 x 5, float64",
        "target": "",
        "shape": [100, 5, "float64"],
        "seconds": {"fastgd": [0.1, 0.1, 0.2], "a <i>peer</i>": [0.3, 0.4, 0.3]},
        "objectives": {"fastgd": [1.0], "a <i>peer</i>": [1.5]},
        "agree": True,
        "out": {"nobody's": "is not installed"},
    }
    return known | more


def entry(kind, *races, failed="", **more):
    return {"kind": kind, "races": list(races), "failed": failed, "threads": 1, "took": 1.0} | more


def results(**entries):
    grows = {"fastgd": 1, "2 threads": 2, "4 threads": 4}
    times = {name: [0.1 / count, 0.11 / count] for name, count in grows.items()}
    known = {
        ODD_NAME: entry("steps", race(), options={"loss": "huber"}, call="fit", out={"another": "has no such <loss>"}),
        "unlike": entry("steps", race(agree=False, out={"astray": "ends +1e+00 from"}), floors={"a <i>peer</i>": 8.0}),
        "broken": entry("steps", failed="was ended by SIGKILL"),
        "raced": entry(
            "objective",
            race(target="to 0.001"),
            race(target="to 1e-06", objectives={"fastgd": [1.0], "a <i>peer</i>": [None]}),
        ),
        "hopeless": entry("objective", race(seconds={}, objectives={}, agree=False, out={"fastgd": "ends 1 above"})),
        "gradient": entry("bandwidth", race(seconds={"fastgd": [0.1], "read": [0.1], "numpy": [0.5]})),
        "wider": entry("growth", race(seconds=times), grows=grows, axis="threads"),
        "memory": {"kind": "limit", "value": 3.0, "limit": 2.0, "unit": "MB", "failed": ""},
    }
    found = {"mode": "full", "how": "all sizes", "fingerprint": "abc", "seconds": 60.0, "entries": known | entries}
    machine = dict.fromkeys(("processor", "CPUs", "memory", "system", "date", "load before"), "some")
    return found | {"machine": machine, "versions": {"numpy": "2"}}


class Page(HTMLParser):
    """What a page fetches, and its words."""

    def __init__(self, text):
        super().__init__()
        self.links, self.words, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.slow
def test_the_page_stands_alone_and_hides_nothing():
    pytest.importorskip("matplotlib")
    text = report_page.page(results())
    page = Page(text)
    assert len(page.links) == 4
    assert all(link.startswith("data:image/svg+xml;base64,") for link in page.links)
    assert not {"script", "link", "iframe", "b>case"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    words = " ".join(page.words)
    for name in results()["entries"]:
        assert name in words, name
    shown = "was ended by SIGKILL", "the objectives differ", "ends 1 above", "is not installed", "has no such <loss>"
    for told in (*shown, "ends +1e+00 from", "floor 8 MISSED", "+5e-01", "not finite", *report_tables.RULES):
        assert told in words, told
    assert report_tables.code(results()) == 1


def test_the_page_of_nothing():
    nothing = results() | {"entries": {"case": entry("steps", failed=report.NOT_YET)}, "stopped": True}
    assert report.NOT_YET in report_page.page(nothing)
    assert report.NOT_YET in report_tables.markdown(nothing)


def test_the_table_in_markdown():
    text = report_tables.markdown(results())
    assert "a &lt;b>case&lt;/b> &" in text
    assert "| a &lt;i>peer&lt;/i> | 3 | 2.25 to 3.5 of 3 | 100 ms | 300 ms | +5e-01 |" in text
    assert "| broken |  |  |  |  |  |  |  | was ended by SIGKILL |" in text


def test_the_documentations_table_is_of_the_cases_there_are():
    page = report_tables.PAGE.read_text()
    found = report_tables.page_fingerprint(page)
    assert found == report_tables.fingerprint(), "the cases changed: run python -m benchmarks report --docs"
    assert all(f"| {case.name} |" in page for case in cases.CASES)


def test_the_documentations_table_is_written_whole_or_not_at_all(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(report_tables.PAGE.read_text())
    for part in (results(), results() | {"mode": "smoke"}):
        with pytest.raises(SystemExit, match="The page takes"):
            report_tables.into_docs(part, page)
    assert page.read_text() == report_tables.PAGE.read_text()
    whole = results(**{case.name: entry("steps", race()) for case in cases.CASES})
    report_tables.into_docs(whole, page)
    assert report_tables.page_fingerprint(page.read_text()) == "abc"
    assert page.read_text().count("a &lt;i>peer&lt;/i> 3 (2.25 to 3.5); nobody's is not installed |") >= len(
        cases.CASES
    )


def test_the_fingerprint_follows_the_cases(monkeypatch):
    before = report_tables.fingerprint()
    changed = cases.CASES[0]._replace(options=cases.CASES[0].options | {"epochs": 3})
    monkeypatch.setattr(cases, "CASES", (changed, *cases.CASES[1:]))
    assert report_tables.fingerprint() != before


def test_who_fails_or_ends_elsewhere_is_left_out_by_name(capsys):
    def broken():
        raise ValueError("no <luck>")

    def make():
        alike = {"fastgd": lambda: 1.0, "alike": lambda: 1.0}
        unlike = {"worse": lambda: 2.0, "lost": lambda: np.nan, "broken": broken, "absent": registry.NOT_INSTALLED}
        return alike | unlike

    [found] = measured.races(registry.Comparison("x", make, ((),), ()), ((),), 1)
    assert found.out == {
        "worse": "ends +1e+00 from fastgd's objective",
        "lost": "ends +nan from fastgd's objective",
        "broken": "fails: ValueError: no <luck>",
        "absent": registry.NOT_INSTALLED,
    }
    assert not found.agree
    assert set(found.seconds) == {"fastgd", "alike"}
    [found] = measured.races(registry.Comparison("x", broken, ((),), ()), ((),), 1)
    assert found.out == {"fastgd": "fails: ValueError: no <luck>"}
    assert "no <luck>" in capsys.readouterr().err


@pytest.mark.parametrize("call", [registry.STEPS, registry.OBJECTIVE])
def test_a_peer_that_does_not_exist_is_named(call):
    case = cases.CASES[0]._replace(peers=("nobody",), race=call)
    [found] = measured.races(case, (case.small,), 1)
    assert found.out["fastgd"].endswith("not nobody")
    assert not found.agree


@pytest.mark.parametrize("theirs", [[3.0], [1.0, 8.0], [8.0, 1.0, 2.0], [4.0, 3.0, 1.0, 8.0, 5.0, 2.0, 6.0]])
def test_quartiles_lie_among_the_ratios(theirs):
    found = measure.ratio([1.0] * len(theirs), theirs)
    assert min(theirs) <= found.low <= found.median <= found.high <= max(theirs)


class Clock:
    """A second for each rest, and none otherwise."""

    now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, _):
        self.now += 1.0


@pytest.mark.parametrize(("most", "turns"), [(0.0, 1), (1.5, measure.FEWEST), (0.3, 2), (9.0, 5)])
def test_long_races_are_cut_short(most, turns, monkeypatch):
    monkeypatch.setattr(measure, "time", Clock())
    assert len(measure.interleave({"a": lambda: None}, 5, most)["a"]) == turns


def test_ctrl_c_keeps_what_was_measured(tmp_path, monkeypatch):
    def child(name, mode, lines, threads, patience):
        with open(lines, "w") as file:
            file.write(json.dumps({"race": race()}) + "\n")
        if name == cases.CASES[1].name:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(report, "child", child)
    assert report.main(["--smoke", "--to", str(tmp_path)]) == 130
    kept = json.loads((tmp_path / "results.json").read_text())["entries"]
    first, second, third = list(kept.values())[:3]
    assert not first["failed"]
    assert len(second["races"]) == 1
    assert third["failed"] == second["failed"] == report.NOT_YET
    assert report.main(["--from", str(tmp_path / "results.json"), "--to", str(tmp_path / "again")]) == 130
    assert cases.CASES[0].name in (tmp_path / "again" / "report.html").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["--quick", "peak memory"],
        ["--readme", "--smoke"],
        ["--readme", "tiny"],
        ["--from", "missing", "tiny"],
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "measure_all", None)
    with pytest.raises(SystemExit, match=r"^2$|no name has"):
        report.main([*arguments, "--to", str(tmp_path / "to")])
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("text", [None, "", "[]", '{"mode": "full", "entries": {"a": {}}}'])
def test_results_that_are_damaged(text, tmp_path, capsys):
    file = tmp_path / "some.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        report.main(["--from", str(file), "--to", str(tmp_path / "to")])
    assert "is not a report's results.json" in capsys.readouterr().err
    assert not any((tmp_path / "to").iterdir())


def test_a_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "to").touch()
    with pytest.raises(SystemExit, match="2"):
        report.main(["tiny", "--smoke", "--to", str(tmp_path / "to")])
    assert "--to is not a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_a_smoke_run(tmp_path):
    assert report.main(["tiny: what", "--smoke", "--to", str(tmp_path)]) == 0
    [(name, found)] = json.loads((tmp_path / "results.json").read_text())["entries"].items()
    assert not found["failed"]
    assert set(found["races"][0]["seconds"]) == {"fastgd", "NumPy reference"}
    assert name in (tmp_path / "report.md").read_text()
    assert name in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_a_process_that_dies_is_told(tmp_path):
    lines = str(tmp_path / "lines")
    assert report.child("no such case", "smoke", lines, 1, 60.0) == "ended with code 1"
    assert report.child("no such case", "smoke", lines, 1, 0.01) == "took more than 0.01 seconds"
