"""Python's warnings in a process that serves: kept out of its memory and its log, for strangers write their texts."""

import warnings


def drop_warnings() -> None:
    """Python remembers every text that it warned of; Pillow's tell numbers of the sender's file, so that each broken one would add some."""
    warnings.simplefilter("ignore")
