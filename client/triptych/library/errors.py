"""What can go wrong with a library: one class per cause, its text a sentence for the user."""

from triptych.errors import TriptychError


class LibraryError(TriptychError):
    """The library cannot do what it was asked."""


class LibraryIncomplete(LibraryError):  # noqa: N818 - the causes read as states, as the client's do
    """A package of the extra `library` is not installed."""

    def __init__(self, error: ModuleNotFoundError) -> None:
        super().__init__(f"the library needs {error.name}, which is not installed: pip install 'triptych[library]'")


class ModelChanged(LibraryError):  # noqa: N818
    """The server's model is another one than that which made the library's embeddings."""


class NotInLibrary(LibraryError):  # noqa: N818
    """There is no such photo, face or person in the library."""
