"""What goes wrong with a hub, as sentences: exceptions of huggingface_hub and its HTTP client in, ours out."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from triptych_server.errors import HubAccessError, HubError, HubNotFoundError, HubUnreachableError, NotCachedError

WAYS = (
    "A mirror is named with HF_ENDPOINT, a proxy with HTTPS_PROXY; or fetch the repository's folder on another machine and "
    "`triptych models import FOLDER`"
)


@contextmanager
def hub_errors(endpoint: str, repository: str, revision: str, timeout: float) -> Iterator[None]:
    """Turn what the block raises into HubError and its kinds, which name the address that was tried and what can be done."""
    try:
        yield
    except OfflineModeIsEnabled:
        raise NotCachedError(f"HF_HUB_OFFLINE is set, so {repository} is not asked for; unset it, or use what is in the cache") from None
    except HfHubHTTPError as error:
        raise _refused(error, endpoint, repository, revision) from error
    except httpx2.TimeoutException as error:
        raise HubUnreachableError(
            f"{_asked(error, endpoint)} gave no answer within {timeout:g} s (HF_HUB_DOWNLOAD_TIMEOUT sets them). {WAYS}"
        ) from error
    except (httpx2.TransportError, httpx2.TooManyRedirects) as error:
        reason = str(error) or type(error).__name__
        raise HubUnreachableError(f"{_asked(error, endpoint)} cannot be reached: {reason}. {WAYS}") from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        httpx2.HTTPError,
        httpx2.InvalidURL,
    ) as error:  # no JSON, or JSON of something else
        what = type(error).__name__
        raise HubError(f"{endpoint} answers, but not as a hub does ({what}); is HF_ENDPOINT right, or is a proxy between?") from error


def _refused(error: HfHubHTTPError, endpoint: str, repository: str, revision: str) -> HubError:
    """The error for an answer with a status of 4xx or 5xx."""
    status = error.response.status_code
    at = f"{endpoint}/{repository}"
    is_missing = isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError)
    cases: tuple[tuple[bool, type[HubError], str], ...] = (
        (
            isinstance(error, RevisionNotFoundError),
            HubNotFoundError,
            f"{repository} has no revision {revision!r} at {endpoint}; Immich's repositories have main (its legacy exports) and v2",
        ),
        (
            isinstance(error, RemoteEntryNotFoundError),
            HubNotFoundError,
            f"{endpoint} lists a file of {repository} that it does not have; pull again, or another --revision",
        ),
        (
            isinstance(error, GatedRepoError),
            HubAccessError,
            f"{repository} is gated: accept its terms at {at}, and set HF_TOKEN to a token of that account",
        ),
        (
            status == 401 and not is_missing,
            HubAccessError,
            f"{endpoint} does not accept the token (HTTP 401); set HF_TOKEN to one that is valid, or unset it",
        ),
        (
            is_missing or status in (401, 404),
            HubNotFoundError,
            f"{endpoint} has no repository {repository}, or it is private (HTTP {status}); check the name and --organisation, "
            "and set HF_TOKEN if it is private",
        ),
        (status == 403, HubAccessError, f"{endpoint} forbids {repository} (HTTP 403); set HF_TOKEN to a token that may read it"),
        (
            status == 429,
            HubError,
            f"{endpoint} has had too many requests from here (HTTP 429); wait some minutes, or set HF_TOKEN, and pull again",
        ),
        (status >= 500, HubError, f"{endpoint} failed on {repository} (HTTP {status}); the fault is there: pull again later. {WAYS}"),
    )
    otherwise = HubError(f"{endpoint} refused {repository} (HTTP {status}): {error.server_message or error.response.reason_phrase}")
    return next((kind(sentence) for fits, kind, sentence in cases if fits), otherwise)


def _asked(error: httpx2.RequestError, endpoint: str) -> str:
    """The address that was tried, without what follows a `?`: signed addresses carry keys."""
    try:
        url = error.request.url
    except RuntimeError:  # raised outside of a request
        return endpoint
    return endpoint if str(url).startswith(endpoint) else f"{endpoint}, which sends on to {url.scheme}://{url.netloc.decode()},"
