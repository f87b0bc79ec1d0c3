"""What photos can be narrowed down to, for the page: years, and folders one step at a time."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from triptych.gateway.answer import json_response
from triptych.library import Library
from triptych.page.asked import folder_of, page_of

_MOST_FOLDERS = 1000  # of one step are told


async def filters(request: Request) -> Response:
    """`years`; `folders`: those in `folder`, or the indexed ones; `above`: the way from an indexed folder to `folder`, itself included."""
    own, folder = page_of(request).library, folder_of(request)

    def look() -> dict[str, Any]:
        return {
            "years": [{"year": year, "photos": photos} for year, photos in own.years().items()],
            "above": [_told(each) for each in _way(own.folders, folder)] if folder else [],
            "folders": [{**_told(each), "photos": photos} for each, photos in _steps(own, folder)[:_MOST_FOLDERS]],
        }

    return json_response(await page_of(request).ask(look))


def _told(folder: Path) -> dict[str, str]:
    return {"path": str(folder), "name": folder.name or str(folder)}


def _way(indexed: list[Path], folder: Path) -> list[Path]:
    inside = [each for each in (folder, *folder.parents) if any(each.is_relative_to(root) for root in indexed)]
    return inside[::-1] or [folder]


def _steps(own: Library, folder: Path | None) -> list[tuple[Path, int]]:
    """Of one indexed folder alone what is in it: to choose the folder itself would change nothing."""
    if folder is None and len(own.folders) != 1:
        return [(each, own.count(each)) for each in own.folders]
    return list(own.subfolders(folder or own.folders[0]).items())
