"""Facilities: service points and assets with a place, a kind and a capacity, as points or areas.

    report = load(session, Path("schools.csv"), kind="school")

`rows` cleans, `datum` weighs whether the positions are in the datum they claim, `store` merges; `loading` tells the story.
"""

from etl.facilities.loading import load

__all__ = ["load"]
