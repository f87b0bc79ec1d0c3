"""Addresses: what is understood, what is refused, and what follows."""

import pytest

from triptych import TLS, Client, InvalidInput
from triptych.endpoint import Endpoint
from triptych.transport.base import Connection


@pytest.mark.parametrize(
    ("url", "shown", "grpc", "secure"),
    [
        ("localhost", "grpc://localhost:8001", True, False),
        ("localhost:9001", "grpc://localhost:9001", True, False),
        ("grpc://photos.lan", "grpc://photos.lan:8001", True, False),
        ("grpcs://photos.lan:443", "grpcs://photos.lan:443", True, True),
        ("http://10.0.0.2", "http://10.0.0.2:8000", False, False),
        ("https://photos.example/triton/", "https://photos.example:443/triton", False, True),
        ("http://[::1]:8000", "http://[::1]:8000", False, False),
    ],
)
def test_addresses(url, shown, grpc, secure):
    endpoint = Endpoint.parse(url)
    assert (str(endpoint), endpoint.grpc, endpoint.secure) == (shown, grpc, secure)


@pytest.mark.parametrize(
    "url", ["", "ftp://host", "grpc://", "http://host:port", "http://host:99999", "grpc://host/path", "http://u:p@host", "http://host/?q=1"]
)
def test_what_is_no_address_is_refused_when_the_client_is_made(url):
    with pytest.raises(InvalidInput):
        Client(url)


def test_metrics_are_on_the_same_host():
    assert Endpoint.parse("grpc://[::1]:8001").metrics_url() == "http://[::1]:8002/metrics"


def test_tls_options_for_an_open_port_are_refused():
    with pytest.raises(InvalidInput, match=r"use https://host:8000"):
        Connection(Endpoint.parse("http://host"), {}, TLS())


def test_half_a_certificate_or_a_missing_file_is_refused(tmp_path):
    file = tmp_path / "a.pem"
    file.touch()
    with pytest.raises(InvalidInput, match="together"):
        TLS(certificate=file)
    with pytest.raises(InvalidInput, match="there is no file"):
        TLS(root_certificates=tmp_path / "b.pem")
