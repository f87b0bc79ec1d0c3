"""The people of a library: found by `group`, named, joined and taken apart by the user, whose word stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triptych.library import grouping
from triptych.library.errors import LibraryError, NotInLibrary
from triptych.library.records import KnownFace, Person, Photo
from triptych.library.store import Store
from triptych.library.vectors import restored

_NEW, _SEEN, _NOBODY = 0, 1, 2  # what `face.state` says
_LARGEST = 2**63 - 1  # id that SQLite can have
_READ = 8192  # embeddings read at a time
_PASSES = 20  # of joining people who turn out to be one; each at most halves them
_Look = tuple[int, int]  # a person's id and the number of one of its looks
_MOST_LINKED = 4096  # faces of one person that are clustered to split it; the others follow


@dataclass(frozen=True, slots=True)
class LibraryPeople:
    """People of one store. A person is two faces or more, or whoever a user made."""

    store: Store

    def all(self) -> list[Person]:
        """Everybody, those with a name first, then by the number of faces."""
        return self._persons("TRUE", ())

    def find(self, who: str | int) -> Person:
        """By id, or by name, in which case does not matter. Raises NotInLibrary."""
        text = str(who).strip()
        number = int(text) if text.isdecimal() else self._named(text)
        known = number is not None and number <= _LARGEST
        for person in self._persons("person.id = ?", (number,)) if known else ():
            return person
        raise NotInLibrary(f"there is no person {text!r}; `triptych people` lists them")

    def _persons(self, where: str, values: Sequence[int | None]) -> list[Person]:
        rows = self.store.rows(
            "SELECT person.id, name, count(face.id), count(DISTINCT photo) "
            f"FROM person LEFT JOIN face ON face.person = person.id WHERE {where} "
            "GROUP BY person.id ORDER BY name IS NULL, count(face.id) DESC, person.id",
            values,
        )
        return [Person(*row) for row in rows]

    def _named(self, name: str) -> int | None:
        rows = self.store.rows("SELECT id, name FROM person WHERE name IS NOT NULL")
        return next((person for person, known in rows if known.casefold() == name.casefold()), None)

    def faces(self, who: str | int, limit: int | None = None) -> list[KnownFace]:
        """Somebody's faces, the largest first."""
        person = self.find(who).id
        rows = self.store.rows(
            "SELECT face.id, x1, y1, x2, y2, score, photo.id, path, width, height, taken FROM face JOIN photo ON photo.id = face.photo "
            "WHERE person = ? ORDER BY max(x2 - x1, y2 - y1) DESC, face.id LIMIT ?",
            (person, -1 if limit is None else limit),
        )
        return [
            KnownFace(face, Photo(photo, Path(path), (width, height), taken), (x1, y1, x2, y2), score, person)
            for face, x1, y1, x2, y2, score, photo, path, width, height, taken in rows
        ]

    def name(self, who: str | int, name: str | None) -> Person:
        """Give a name, or take it away (None). Raises LibraryError for one that somebody else has: `merge` the two if they are one."""
        wanted = (name or "").strip() or None
        if wanted is not None and wanted.isdecimal():
            raise LibraryError(f"{wanted!r} would be taken for an id; a name has a letter")
        with self.store.writing() as connection:
            person = self.find(who)
            other = self._named(wanted) if wanted else None
            if other not in (None, person.id):
                raise LibraryError(f"person {other} is {wanted} already; if they are one: triptych people merge {other} {person.id}")
            connection.execute("UPDATE person SET name = ? WHERE id = ?", (wanted, person.id))
        return self.find(person.id)

    def merge(self, into: str | int, others: Sequence[str | int]) -> Person:
        """All faces of `others` become those of `into`, whose id stays, and whose name, when it has one."""
        with self.store.writing() as connection:
            person = self.find(into)
            joining = {found.id: found for found in map(self.find, others) if found.id != person.id}
            if not joining:
                raise LibraryError("name another person to merge")
            name = person.name or next((other.name for other in joining.values() if other.name), None)
            for other in joining:
                self._join(person.id, other)
            connection.execute("UPDATE person SET name = ? WHERE id = ?", (name, person.id))
        return self.find(person.id)

    def split(self, who: str | int, faces: Iterable[int] | None = None) -> Person:
        """A new person of some of somebody's `faces` (ids); without any, of the smaller of the two groups that they fall into.

        The two are never put together again by `group`. Raises LibraryError when no face would be left on one side.
        """
        person = self.find(who)
        own = [row[0] for row in self.store.rows("SELECT id FROM face WHERE person = ? ORDER BY id", (person.id,))]
        moving = sorted(set(faces)) if faces is not None else self._smaller_half(own)
        strange = set(moving) - set(own)
        if strange:
            raise NotInLibrary(f"{person.label} has no face {min(strange)}; `triptych people show {person.id}` lists them")
        if not moving or len(moving) == len(own):
            raise LibraryError(f"{person.label} has {len(own)} faces, and {len(moving)} would move: one has to stay and one to go")
        with self.store.writing() as connection:
            new = int(connection.execute("INSERT INTO person DEFAULT VALUES").lastrowid or 0)
            connection.executemany("UPDATE face SET person = ?, look = ? WHERE id = ?", [(new, new, face) for face in moving])
            connection.execute("INSERT INTO apart VALUES (?, ?)", (person.id, new))
        return self.find(new)

    def remove(self, face: int) -> None:
        """Say that a face is none of the people; `group` leaves it alone from now on."""
        with self.store.writing() as connection:
            if not connection.execute("UPDATE face SET person = NULL, look = NULL, state = ? WHERE id = ?", (_NOBODY, face)).rowcount:
                raise NotInLibrary(f"there is no face {face}")

    def group(self, threshold: float = grouping.SAME_PERSON) -> int:
        """Put new faces to the people they are of, and make new people of the rest; returns how many people are new.

        Who has a person keeps it. Ids stay, but for two without names who turn out to be one: the older id stays.
        """
        if not self.store.value("SELECT 1 FROM face JOIN face_vector ON owner = face.id WHERE state = ? AND person IS NULL", (_NEW,)):
            self._drop_empty()
            return 0
        loose, old, faces = self._loose()
        looks, people = self._known(faces.shape[1])
        known = len(looks)
        labels = grouping.group(faces, old, people, threshold)  # outside of a transaction: of a large library it takes minutes
        with self.store.writing() as connection:
            for _ in range(people.used - known):
                person = int(connection.execute("INSERT INTO person DEFAULT VALUES").lastrowid or 0)
                looks.append((person, person))
            there = {row[0] for row in self.store.rows("SELECT id FROM person")}  # a user may have merged some meanwhile
            found = [(*looks[label], loose[row]) for row, label in enumerate(labels.tolist()) if label >= 0 and looks[label][0] in there]
            connection.executemany("UPDATE face SET person = ?, look = ? WHERE id = ? AND person IS NULL", found)
            connection.executemany("UPDATE face SET state = ? WHERE id = ? AND state = ?", [(_SEEN, face, _NEW) for face in loose[old:]])
            new = {person for person, _ in looks[known:]}
            self._join_alike(looks, there, people, threshold)
            self._drop_empty()
            return sum(row[0] in new for row in self.store.rows("SELECT id FROM person"))

    def _loose(self) -> tuple[list[int], int, NDArray[np.float16]]:
        """Ids of the faces of nobody, those that were looked at before first; how many these are; embeddings float16 [n,D]."""
        where = "FROM face JOIN face_vector ON owner = face.id WHERE person IS NULL AND state"
        seen, new = (
            [row[0] for row in self.store.rows(f"SELECT face.id {where} = ? ORDER BY face.id", (state,))] for state in (_SEEN, _NEW)
        )
        faces: NDArray[np.float16] | None = None
        ids = seen + new
        for start in range(0, len(ids), _READ):
            part = ids[start : start + _READ]
            blobs = dict(self.store.rows_of("SELECT owner, vector FROM face_vector WHERE owner IN", part))
            rows = np.frombuffer(b"".join(blobs[face] for face in part), "<f2").reshape(len(part), -1)
            if faces is None:
                faces = np.empty((len(ids), rows.shape[1]), np.float16)
            faces[start : start + _READ] = rows
        assert faces is not None  # `group` has looked
        return ids, len(seen), faces

    def _known(self, dimension: int) -> tuple[list[_Look], grouping.People]:
        """Every look of every person, the oldest person first, and the sums of their faces' embeddings."""
        rows = self.store.rows("SELECT DISTINCT person, look FROM face WHERE person IS NOT NULL ORDER BY person, look")
        looks: list[_Look] = [(person, look) for person, look in rows]
        number = {look: at for at, look in enumerate(looks)}
        people = grouping.People(np.zeros((len(looks), dimension), np.float32), np.zeros(len(looks), np.int64))
        last = 0
        while part := self.store.rows(  # in parts: all embeddings at once would be gigabytes
            "SELECT face.id, person, look, vector FROM face JOIN face_vector ON owner = face.id "
            "WHERE person IS NOT NULL AND face.id > ? ORDER BY face.id LIMIT ?",
            (last, _READ),
        ):
            last = part[-1][0]
            known = [(number[(person, look)], blob) for _, person, look, blob in part if (person, look) in number]
            if known:
                people.add(np.array([at for at, _ in known]), np.stack([restored(blob) for _, blob in known]))
        return looks, people

    def _join_alike(self, looks: list[_Look], there: set[int], people: grouping.People, threshold: float) -> None:
        """Join people who are one by now: never two with names, and never two whom a user separated."""
        named = {row[0] for row in self.store.rows("SELECT id FROM person WHERE name IS NOT NULL")}
        for _ in range(_PASSES):
            apart = {frozenset(row) for row in self.store.rows("SELECT one, other FROM apart")}
            taken: set[int] = set()
            for one, other in grouping.alike(people, threshold):
                pair = {looks[one][0], looks[other][0]}
                if len(pair) < 2 or not pair <= there or pair <= named or pair in apart or not taken.isdisjoint(pair):
                    continue
                taken |= pair
                stays, joins = (other, one) if looks[other][0] in named else (one, other)
                self._join(looks[stays][0], looks[joins][0])
                self._one_look(looks, people, stays, joins)
            if not taken:
                return

    def _one_look(self, looks: list[_Look], people: grouping.People, stays: int, joins: int) -> None:
        (into, look), (other, old) = looks[stays], looks[joins]
        with self.store.writing() as connection:
            connection.execute("UPDATE face SET look = ? WHERE person = ? AND look = ?", (look, into, old))
        for at, (person, its) in enumerate(looks):
            if person == other:
                looks[at] = (into, its)
        people.sums[stays] += people.sums[joins]
        people.counts[stays] += people.counts[joins]
        people.sums[joins], people.counts[joins] = 0, 0

    def _join(self, into: int, other: int) -> None:
        with self.store.writing() as connection:
            connection.execute("UPDATE face SET person = ? WHERE person = ?", (into, other))
            connection.execute("UPDATE OR IGNORE apart SET one = ? WHERE one = ? AND other != ?", (into, other, into))
            connection.execute("UPDATE OR IGNORE apart SET other = ? WHERE other = ? AND one != ?", (into, other, into))
            connection.execute("DELETE FROM person WHERE id = ?", (other,))

    def _drop_empty(self) -> None:
        """People without a name whose photos are all gone."""
        with self.store.writing() as connection:
            connection.execute("DELETE FROM person WHERE name IS NULL AND id NOT IN (SELECT person FROM face WHERE person IS NOT NULL)")

    def _smaller_half(self, own: list[int]) -> list[int]:
        rows = self.store.rows_of("SELECT owner, vector FROM face_vector WHERE owner IN", own)
        if len(rows) < 2:
            raise LibraryError("a person is split into two, and this one has fewer than two faces")
        faces = np.stack([restored(blob) for _, blob in rows])
        half = grouping.linked(faces[:_MOST_LINKED], most=2)
        if half.max() == 0:
            raise LibraryError("all faces of this person are equally alike; name the ones to move: --face ID")
        means = np.stack([faces[:_MOST_LINKED][half == side].mean(axis=0) for side in (0, 1)])
        side = np.concatenate([half, (faces[_MOST_LINKED:] @ means.T).argmax(axis=1)])
        smaller = 0 if (side == 0).sum() < (side == 1).sum() else 1
        return sorted(row[0] for row, one in zip(rows, side, strict=True) if one == smaller)
