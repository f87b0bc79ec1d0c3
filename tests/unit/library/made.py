"""Photos and faces put into a store directly, with embeddings that a test has chosen."""

import numpy as np

from triptych.library.vectors import stored


def unit(seed, dimension=32):
    """A direction of its own for each seed: nearly at right angles to all others."""
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


def add_photo(store, path, vector, taken="2024-05-01T12:00:00"):
    with store.writing() as connection:
        photo = connection.execute(
            "INSERT INTO photo (path, size, mtime_ns, width, height, taken) VALUES (?, 1, 1, 640, 480, ?)", (path, taken)
        ).lastrowid
        connection.execute("INSERT INTO photo_vector (owner, vector) VALUES (?, ?)", (photo, stored(vector)))
    return photo


def add_face(store, photo, vector, at=0):
    with store.writing() as connection:
        face = connection.execute(
            "INSERT INTO face (photo, x1, y1, x2, y2, score) VALUES (?, ?, 10, ?, 60, 0.9)", (photo, at, at + 50)
        ).lastrowid
        connection.execute("INSERT INTO face_vector (owner, vector) VALUES (?, ?)", (face, stored(vector)))
    return face


def near(person, rng, spread=0.5, dimension=64):
    """A face of a person (a seed): cosines of about 0.8 within one, 0 between two."""
    vector = unit(person, dimension) + spread * rng.standard_normal(dimension).astype(np.float32) / np.sqrt(dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
