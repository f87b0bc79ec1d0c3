"""Before anything is loaded from a repository an engine leaves its note there, so that a change of models waits for it, and it for one."""

import logging

from triptych_server.disk import with_room
from triptych_server.engine.running import EngineNote, new_note
from triptych_server.errors import DiskSpaceError, EngineError, RepositoryBusyError, RepositoryReadOnlyError
from triptych_server.models.swap import JOURNAL, recover
from triptych_server.repository import Repository
from triptych_server.repository_lock import FOLDER, locked

_logger = logging.getLogger(__name__)


def announce(repository: Repository) -> EngineNote | None:
    """The note, which its engine removes. None in a repository that cannot be written, with a warning; EngineError when a change left that
    half made, or one is under way."""
    try:
        with locked(repository) as folder, with_room(repository.root):
            if recover(folder, repository.roots):
                _logger.warning("a change of models was cut short; its files were put back")
            return new_note(folder)
    except (RepositoryReadOnlyError, DiskSpaceError, OSError) as error:
        if (journal := repository.root / FOLDER / JOURNAL).exists():
            raise EngineError(
                f"the models in {repository.root} are half replaced ({journal}): a change of them is under way, or was cut short; "
                f"start once, or run `triptych models use`, where the repository can be written: that puts them back ({error})"
            ) from None
        _logger.warning("`triptych models use` will not find this server: %s", error)
        return None
    except RepositoryBusyError as error:
        raise EngineError(f"the server was not started: {error}") from None
