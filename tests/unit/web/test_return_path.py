import pytest

from lakekey.web.return_path import checked


@pytest.mark.parametrize(
    "path", ["/", "/dashboards/7?tab=2", "/a%2F%2Fb", "/a//b", "/x?next=https://other.example/", "/a.b/..c?up=../.."]
)
def test_path_of_this_host_is_kept(path):
    assert checked(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None, "", "dashboards", "https://evil.example/", "//evil.example", "/\\evil.example", "/a\\b", "\\/evil.example",
        "/a\nb", "/\t/evil.example", " /a", "/a b", "/ä", "javascript:alert(1)", "/" + "a" * 2000,
        "/./..//evil.example", "/a/../b", "/%2E%2e//evil.example", "/a/.",
    ],
)  # fmt: skip
def test_anything_else_leads_nowhere(path):
    assert checked(path) == ""
