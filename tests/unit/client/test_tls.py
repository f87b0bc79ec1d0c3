"""TLS with an authority of one's own, and certificates on both sides, over both protocols."""

import shutil
import ssl
from pathlib import Path

import grpc
import pytest

from tests.support.certificates import make_certificates
from tests.unit.client.scripted_server import grpc_server, http_server
from triptych import TLS, InvalidInput, RetryPolicy, ServerUnreachable

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["grpcs", "https"])
def secure_url(request, script, certificates):
    """A server that asks for a client certificate."""
    if request.param == "grpcs":
        pair = [((certificates / "server.key").read_bytes(), (certificates / "server.pem").read_bytes())]
        ca = (certificates / "ca.pem").read_bytes()
        with grpc_server(script, grpc.ssl_server_credentials(pair, ca, require_client_auth=True)) as address:
            yield f"grpcs://{address}"
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        with http_server(script, context) as address:
            yield f"https://{address}"


def test_both_sides_show_their_certificate(ask, secure_url, certificates):
    tls = TLS(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
    assert ask(secure_url, {"tls": tls}, "embed_text", "abc")[0] == 3


def test_a_client_without_a_certificate_is_turned_away(ask, secure_url, certificates, script):
    options = {"tls": TLS(certificates / "ca.pem"), "retry": RetryPolicy.never()}
    with pytest.raises(ServerUnreachable):
        ask(secure_url, options, "embed_text", "abc", timeout=5)
    assert script.seen == []


def test_a_server_of_an_unknown_authority_is_not_trusted(ask, secure_url, script):
    with pytest.raises(ServerUnreachable):
        ask(secure_url, {"retry": RetryPolicy.never()}, "embed_text", "abc", timeout=5)
    assert script.seen == []


def test_a_file_that_is_no_certificate_is_refused(ask, certificates):
    with pytest.raises(InvalidInput, match="TLS"):
        ask("https://127.0.0.1:1", {"tls": TLS(certificates / "san")}, "embed_text", "abc")
    with pytest.raises(InvalidInput, match="TLS"):
        ask("grpcs://127.0.0.1:1", {"tls": TLS(certificates / "san")}, "embed_text", "abc")
