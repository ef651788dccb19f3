"""The comparison of what pages show with what their snippets print."""

import pytest
import snippets


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("[0.5  2.0]", "[0.5001 2.1]"),
        ("status converged, 12 steps", "status converged, 12 steps"),
        ("1,234.5 rows", "1,234.51 rows"),
        ("a ... b", "a 1 2 3 b"),
        ("...", "anything"),
        ("[1. 2.]", "[1.  2.]"),
        ("1.20e-05", "1.21e-05"),
        ("float32 x1", "float32   x1"),
        ("-0.5\n...\nlast 3", "-0.5\nmany\nlast 2\nlast 3"),
    ],
)
def test_alike(shown, printed):
    assert snippets.difference(shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("12 steps", "13 steps"),
        ("0.50", "0.53"),
        ("0.5", "-0.5"),
        ("converged", "diverged"),
        ("a ... b", "a 1 2 3 c"),
        ("a", "a b"),
        ("a b", "a"),
        ("x1", "x2"),
        ("1.20e-05", "1.20e-04"),
        ("1.5", "nan"),
        ("[0.1 0.2]", "[0.1 0.2 0.3]"),
    ],
)
def test_different(shown, printed):
    assert snippets.difference(shown, printed)


def test_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\na = 1.5\n```\n\n<!-- not run: it never ends -->\n```python\nwhile True: ...\n```\n"
        "\n```python\nprint(a)\n```\n\nprints\n\n```text\n1.5\n```\n\n```sh\nls\n```\n"
        "\n<!-- needs: no_such_package -->\n```python\nimport no_such_package\n```\n"
    )
    assert [printed for _, printed in snippets.run(page)] == ["", "1.5\n", ""]
    page.write_text(page.read_text().replace("a = 1.5", "a = 1.6"))
    assert [printed for _, printed in snippets.run(page)][1] == "1.6\n", "within the last digit"
    page.write_text(page.read_text().replace("a = 1.6", "a = 1.7"))
    with pytest.raises(AssertionError, match=r"page.md, line 11: 1.5 is now 1.7"):
        [*snippets.run(page)]
    assert "```text\n1.7\n```" in snippets.written(page)
    page.write_text("```python\nprint(1)\n```\n")
    with pytest.raises(AssertionError, match="does not show"):
        [*snippets.run(page)]
    assert snippets.written(page) == "```python\nprint(1)\n```\n\n```text\n1\n```\n"
