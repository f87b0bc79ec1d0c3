"""Statuses and wordings of tritonclient -> our errors; the wordings are recorded from Triton 2.51 and grpcio 1.85."""

import pytest
from tritonclient.utils import InferenceServerException

from triptych import AccessDenied, InvalidInput, Overloaded, ServerError, ServerUnreachable
from triptych.endpoint import Endpoint
from triptych.transport.failures import cleaned, from_triton

GRPC, HTTP = Endpoint.parse("grpc://host:1"), Endpoint.parse("http://host:1")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("[request id: <id_unknown>] Exceeds maximum queue size", "Exceeds maximum queue size"),
        ("in ensemble 'search_image', [request id: 7] Exceeds maximum queue size", "Exceeds maximum queue size"),
        ("[StatusCode.INTERNAL] boom", "boom"),
        ("[400] in ensemble 'a', in ensemble 'b', no picture", "no picture"),
        ("Failed to process the request(s) for model 'm_0_1', message: TritonModelException: boom\n\nAt:\n  /a/model.py(1): f\n", "boom"),
        ("unexpected inference input 'txt' for model 'search_text'", "unexpected inference input 'txt' for model 'search_text'"),
    ],
)
def test_the_sentence_is_kept_and_the_decoration_is_not(raw, clean):
    assert cleaned(raw) == clean


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
            "Failed to connect to remote host: Connection refused",
            "Connection refused",
        ),
        (
            "errors resolving no.host:80: [field:hostname lookup error:address lookup failed for no.host:80: Domain name not found]",
            "Domain name not found",
        ),
        ("failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:18000: Socket closed", "Socket closed"),
        ("Socket closed", "Socket closed"),
        ("recvmsg:Connection reset by peer", "recvmsg:Connection reset by peer"),
    ],
)
def test_grpcs_unavailable_for_a_lost_connection_is_no_overload(message, reason):
    error = from_triton(InferenceServerException(message, "StatusCode.UNAVAILABLE"), GRPC)
    assert type(error) is ServerUnreachable
    assert str(error) == f"no Triton answers gRPC at host:1 ({reason}); is it running there?"


@pytest.mark.parametrize(
    ("status", "message", "endpoint", "kind"),
    [
        ("StatusCode.UNAVAILABLE", "the accelerator is busy", GRPC, Overloaded),
        ("503", "Exceeds maximum queue size", HTTP, Overloaded),
        ("429", "slow down", HTTP, Overloaded),
        ("403", "This API is restricted, expecting header 'triptych-control'", HTTP, AccessDenied),
        ("StatusCode.PERMISSION_DENIED", "no", GRPC, AccessDenied),
        ("413", "too large", HTTP, InvalidInput),
        ("StatusCode.RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", GRPC, InvalidInput),
        ("StatusCode.UNKNOWN", "", GRPC, ServerError),
        (None, "tritonclient's own complaint", HTTP, ServerError),
        ("502", "bad gateway", HTTP, ServerUnreachable),
    ],
)
def test_statuses(status, message, endpoint, kind):
    error = from_triton(InferenceServerException(message, status), endpoint)
    assert type(error) is kind
    assert str(error)


def test_a_proxys_page_is_told_as_such():
    raw = "an exception occurred in the client while decoding the response: x\nresponse: <html>secret</html>"
    error = from_triton(InferenceServerException(raw, "404"), HTTP)
    assert str(error) == "http://host:1 answered HTTP 404, and not in Triton's words"
