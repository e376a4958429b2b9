"""Where a Spark session connects to. Nothing here needs pyspark."""

import pytest

from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.spark.connect_url import connect_url, roots


def address(url=None, *, host="https://w.cloud.databricks.com", cluster_id=None, headers=None, **parameters):
    target = resolve(environ={}, host=host, cluster_id="profile-cluster" if url is None else None)
    return connect_url(target, url, cluster_id=cluster_id, parameters=parameters, headers=headers or {})


def test_the_default_is_the_host_and_the_cluster_of_the_profile():
    assert address() == "sc://w.cloud.databricks.com:443/;use_ssl=true;x-databricks-cluster-id=profile-cluster"


@pytest.mark.parametrize(
    ("host", "begin"),
    [
        ("https://[::1]:8443", "sc://[::1]:8443/;use_ssl=true"),
        ("https://[::1]", "sc://[::1]:443/;use_ssl=true"),
        ("http://127.0.0.1", "sc://127.0.0.1:80/;use_ssl=false"),
        ("http://localhost:8080", "sc://localhost:8080/;use_ssl=false"),
    ],
)
def test_the_hosts_own_address_is_kept(host, begin):
    assert address(host=host) == f"{begin};x-databricks-cluster-id=profile-cluster"


def test_a_cluster_that_is_named_wins_over_the_profiles():
    assert "x-databricks-cluster-id=mine" in address(cluster_id="mine")


def test_without_cluster_and_url_there_is_nothing_to_connect_to():
    target = resolve(environ={}, host="https://w.cloud.databricks.com")
    with pytest.raises(ConfigurationError, match="cluster_id"):
        connect_url(target, None, cluster_id=None, parameters={}, headers={})


def test_a_header_may_name_other_compute_than_a_cluster():
    target = resolve(environ={}, host="https://w.cloud.databricks.com")
    url = connect_url(target, None, cluster_id=None, parameters={}, headers={"X-Databricks-Session-Id": "a b"})
    assert url.endswith(";x-databricks-session-id=a%20b;use_ssl=true") or "x-databricks-session-id=a%20b" in url


def test_an_address_of_ones_own_keeps_its_parameters():
    assert address("sc://spark.example.com:15002/;x-a=b%20c") == (
        "sc://spark.example.com:15002/;x-a=b%20c;use_ssl=true"
    )


def test_known_workspace_is_named_to_its_own_host_only():
    target = resolve(environ={}, host="https://acme.databricks.com/?o=42", cluster_id="c")
    named = "x-databricks-org-id=42;x-databricks-workspace-id=42"

    def url(given=None, **headers):
        return connect_url(target, given, cluster_id=None, parameters={}, headers=headers)

    assert named in url()
    assert named in url("sc://acme.databricks.com:443")
    assert "42" not in url("sc://spark.example.com:443")
    assert "x-databricks-org-id=7" in url(**{"X-Databricks-Org-Id": "7"})
    assert "x-databricks-org-id=7" in url("sc://acme.databricks.com/;x-databricks-org-id=7")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_is_reached_in_clear_unless_tls_is_asked_for(host):
    assert address(f"sc://{host}:1").endswith("use_ssl=false")
    assert address(f"sc://{host}:1/;use_ssl=true").endswith("use_ssl=true")


def test_a_token_is_not_sent_in_clear_anywhere_else():
    with pytest.raises(ConfigurationError, match="in clear"):
        address("sc://spark.example.com:1/;use_ssl=false")


@pytest.mark.parametrize("name", ["token", "authorization", "Authorization"])
def test_an_address_with_credentials_of_its_own_is_refused_without_repeating_them(name):
    with pytest.raises(ConfigurationError) as caught:
        address(f"sc://spark.example.com:1/;{name}=s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://h",
        "sc://",
        "sc://h/path",
        "sc://h:99999",
        "sc://u:s3cret@h:1",
        "sc://h/;x",
        "nonsense",
        "sc://h/;x=s3cret=1",
        "sc://127.0.0.1?h",
        "sc://127.0.0.1#h:1",
        "sc://h/;x=1#2",
        "sc://h/;x=1?2",
        "sc://h/;x=1\n2",
    ],
)
def test_what_is_not_a_spark_connect_address_is_refused(url):
    with pytest.raises(ConfigurationError) as caught:
        address(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "h"])
def test_tls_is_on_or_off_and_nothing_between(host):
    with pytest.raises(ConfigurationError, match="neither"):
        address(f"sc://{host}:1/;use_ssl=yes")
    assert address(f"sc://{host}:1/;USE_SSL=true").endswith("use_ssl=true")


@pytest.mark.parametrize(
    "headers", [{"x acme": "1"}, {"x-acme": "a\nb"}, {"x-acme": "caf\u00e9"}, {"x-acme-bin": "1"}, {"": "1"}]
)
def test_what_grpc_would_not_send_is_refused_before_it_is_tried(headers):
    with pytest.raises(ConfigurationError, match="metadata"):
        address(headers=headers)
    with pytest.raises(ConfigurationError, match="metadata"):
        address(user_agent="two\nlines/1")


def test_the_name_of_a_person_may_have_any_letters():
    assert "user_id=%C3%85sa" in address(user_id="\u00c5sa")


def test_parameters_are_quoted():
    assert "user_id=a%3Bb%3Dc" in address(user_id="a;b=c", session_id=None)


def test_the_profiles_authority_wins_over_the_environments(tmp_path):
    mine, other = tmp_path / "mine.pem", tmp_path / "other.pem"
    mine.write_bytes(b"mine")
    other.write_bytes(b"other")
    assert roots(str(mine), {"SSL_CERT_FILE": str(other)}) == b"mine"
    assert roots(None, {"SSL_CERT_FILE": str(other)}) == b"other"


def test_grpcs_own_variable_is_left_to_grpc(tmp_path):
    assert roots(None, {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "x", "SSL_CERT_FILE": "y"}) is None
    assert roots(None, {"REQUESTS_CA_BUNDLE": str(tmp_path)}) is None
    assert roots(None, {}) is None


def test_an_authority_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="ca_file"):
        roots(str(tmp_path / "missing.pem"), {})
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        roots(None, {"SSL_CERT_FILE": str(tmp_path / "missing.pem")})
