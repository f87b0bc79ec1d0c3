"""A folder of photos becomes a library: one file that is searched by text, by likeness, by person and by date."""

from triptych.library.days import days
from triptych.library.errors import LibraryError, LibraryIncomplete, ModelChanged, NotInLibrary
from triptych.library.library import Library, Only, default_file
from triptych.library.people import LibraryPeople
from triptych.library.records import Hit, IndexReport, KnownFace, Person, Photo, Progress
from triptych.library.running import Running

__all__ = [
    "Hit",
    "IndexReport",
    "KnownFace",
    "Library",
    "LibraryError",
    "LibraryIncomplete",
    "LibraryPeople",
    "ModelChanged",
    "NotInLibrary",
    "Only",
    "Person",
    "Photo",
    "Progress",
    "Running",
    "days",
    "default_file",
]
