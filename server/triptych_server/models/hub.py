"""A Hugging Face hub or a mirror of one: a repository and a revision in, the commit and its files with sizes and checksums out.

The address is passed on with every call, because huggingface_hub reads HF_ENDPOINT once, at import.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Self

from huggingface_hub import HfApi, get_token, hf_hub_url

from triptych_server.errors import HubError
from triptych_server.models.hub_errors import hub_errors
from triptych_server.models.listing import HubFile, Listing
from triptych_server.models.model_files import is_needed, lacks

PUBLIC = "https://huggingface.co"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_TRUE = ("1", "on", "yes", "true")


@dataclass(frozen=True, slots=True)
class Hub:
    """Where models are pulled from. `timeout`: seconds to connect, and between bytes; `pause`: seconds before the first repetition."""

    endpoint: str = PUBLIC
    token: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    pause: float = 1.0

    @classmethod
    def from_environment(cls) -> Self:
        """As HF_ENDPOINT, HF_TOKEN (or a login's token) and HF_HUB_DOWNLOAD_TIMEOUT say; proxies are read by the HTTP client."""
        endpoint = (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")
        if not endpoint.startswith(("http://", "https://")):
            raise HubError(f"HF_ENDPOINT is {endpoint!r}; expected an address such as {PUBLIC}")
        seconds = os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT") or "10"
        if not seconds.replace(".", "", 1).isdigit() or not float(seconds):
            raise HubError(f"HF_HUB_DOWNLOAD_TIMEOUT is {seconds!r}; expected seconds, such as 10")
        return cls(endpoint, get_token(), float(seconds))

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries: who asks, and the token."""
        return {"user-agent": "triptych"} | ({"authorization": f"Bearer {self.token}"} if self.token else {})

    def url(self, listing: Listing, path: str) -> str:
        """Where a file of a listing is."""
        return hf_hub_url(listing.repository, path, revision=listing.commit, endpoint=self.endpoint)

    def listing(self, repository: str, revision: str) -> Listing:
        """Ask what a revision holds. HubError, or one of its kinds, when there is no answer or no model in it."""
        api = HfApi(endpoint=self.endpoint, token=self.token or False, user_agent="triptych")
        with hub_errors(self.endpoint, repository, revision, self.timeout):
            info = api.model_info(repository, revision=revision, files_metadata=True, timeout=self.timeout)
        files = []
        for entry in info.siblings or []:
            if not is_needed(entry.rfilename):
                continue
            size = entry.lfs.size if entry.lfs else entry.size
            if size is None:
                raise HubError(f"{self.endpoint} gives no size for {entry.rfilename} of {repository}; it does not speak the hub's protocol")
            files.append(HubFile(entry.rfilename, size, entry.lfs.sha256 if entry.lfs else None, None if entry.lfs else entry.blob_id))
        if missing := lacks({file.path for file in files}):
            raise HubError(f"{repository} at {revision} of {self.endpoint} {missing}; is it a model for Immich?")
        if not info.sha or not _COMMIT.fullmatch(info.sha):  # it becomes a folder's name
            raise HubError(f"{self.endpoint} names no commit for {repository} at {revision}; it does not speak the hub's protocol")
        return Listing(repository, revision, info.sha, tuple(sorted(files, key=lambda file: file.path)))


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE (or, as huggingface_hub has it, TRANSFORMERS_OFFLINE) forbids to ask a hub."""
    return (os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE", "")).lower() in _TRUE
