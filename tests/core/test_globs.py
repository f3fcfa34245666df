"""Path patterns: what they match, and that strangers cannot make them slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.globs import compile_glob


def matches(pattern: str, path: str) -> bool:
    return compile_glob(pattern).fullmatch(path) is not None


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("/", ["/"], ["/a", ""]),
        ("/health", ["/health"], ["/admin/health", "/healthz", "/health/", "/Health"]),
        ("/**", ["/", "/a", "/a/b/", "/\n"], []),
        ("/admin/**", ["/admin", "/admin/", "/admin/a/b"], ["/administrator", "/x/admin/a", "/ADMIN"]),
        ("/a/*", ["/a/b", "/a/"], ["/a", "/a/b/c"]),
        ("/a/*.css", ["/a/x.css", "/a/.css"], ["/a/b/x.css", "/a/x.css/b", "/a/xcss"]),
        ("/a/**/b", ["/a/b", "/a/x/b", "/a/x/b/b", "/a//b"], ["/ab", "/a/bc", "/a/b/c"]),
        ("/**/*.js", ["/x.js", "/a/b/x.js"], ["/a/b/x.jsx", "/x.js/"]),
        ("/**/api/**", ["/api", "/x/api/", "/x/y/api/z"], ["/apix", "/x/apiy/z"]),
        ("/**/a/**/b/**", ["/a/b", "/x/a/y/b/z", "/a/a/b/b"], ["/b/a", "/a/xb"]),
        ("/a*b*c/d", ["/abc/d", "/aXbYc/d", "/abbcc/d"], ["/ab/c/d", "/acb/d", "/abcd/d"]),
        ("/**/**/a", ["/a", "/x/y/a"], ["/b"]),
        ("/a.b+(c)", ["/a.b+(c)"], ["/aXb+(c)", "/a.bb(c)"]),
        ("/caf\u00e9/*", ["/caf\u00e9/x", "/caf%C3%A9/x"], ["/cafe/x"]),
        ("/my files/**", ["/my files/x", "/my%20files"], ["/my"]),
        ("/a%2fb", ["/a%2Fb", "/a%2fb"], ["/a/b"]),
    ],
)
def test_patterns(pattern: str, inside: list[str], outside: list[str]) -> None:
    """Q2, E9: patterns are anchored, `*` stays in a segment, `**` is whole segments, all else is literal."""
    assert [path for path in inside if not matches(pattern, path)] == []
    assert [path for path in outside if matches(pattern, path)] == []


@pytest.mark.parametrize(
    "pattern", ["", "a", "*", "/a?b", "/a#b", "/a//b", "/a/../b", "/a/.", "/a\\b", "/a\nb", "/a**", "/**.js"]
)
def test_patterns_that_cannot_mean_anything_are_refused(pattern: str) -> None:
    """E8: a pattern with a query, or one that no path matches, is a mistake of the operator's to be told."""
    with pytest.raises(ValueError, match=r"path pattern|stands alone"):
        compile_glob(pattern)


@pytest.mark.parametrize("pattern", ["/**/a/**/a/**/a/**/b", "/*a*a*a*a*a*b", "/**/*a*a/**/*a*a/**/*b"])
def test_no_path_makes_a_pattern_slow(pattern: str) -> None:
    """16 KiB of almost-matches, which take backtracking matchers years, are refused at once."""
    assert not matches(pattern, "/a" * 8000)
    assert not matches(pattern, "/" + "a" * 16000)


def reference(pattern: list[str], path: list[str]) -> bool:
    """The meaning of a pattern, in its simplest words."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return reference(pattern[1:], path) or (bool(path) and reference(pattern, path[1:]))
    return bool(path) and segment(pattern[0], path[0]) and reference(pattern[1:], path[1:])


def segment(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return segment(glob[1:], text) or (bool(text) and segment(glob, text[1:]))
    return bool(text) and glob[0] == text[0] and segment(glob[1:], text[1:])


GLOB = st.lists(
    st.one_of(st.just("**"), st.text("ab*", max_size=4).filter(lambda text: "**" not in text)), min_size=1, max_size=6
)
PATH = st.lists(st.text("ab", max_size=4), min_size=1, max_size=6)


@pytest.mark.property
@given(GLOB.filter(lambda glob: "" not in glob), PATH)
def test_expressions_mean_what_the_pattern_says(glob: list[str], path: list[str]) -> None:
    """The compiled expression agrees with a naive matcher of segments."""
    assert matches("/" + "/".join(glob), "/" + "/".join(path)) == reference(glob, path)
