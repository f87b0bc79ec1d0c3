"""Drawn people: a seed gives a person, a person and a look give a figure with its face box and landmarks, figures make groups."""

from demo.people.group import Group, Guest, draw_group, sample_group
from demo.people.look import Look
from demo.people.person import EVALUATION_PEOPLE, TRAINING_PEOPLE, VALIDATION_PEOPLE, Person
from demo.people.portrait import DrawnFace, draw_person

__all__ = [
    "EVALUATION_PEOPLE",
    "TRAINING_PEOPLE",
    "VALIDATION_PEOPLE",
    "DrawnFace",
    "Group",
    "Guest",
    "Look",
    "Person",
    "draw_group",
    "draw_person",
    "sample_group",
]
