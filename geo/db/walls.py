"""The second wall: row-level security, so that a forgotten condition in a query shows nothing instead of everything.

The application role sees rows of `cases` only as far as its transaction was told (`geo.areas.show`): all (`*`), those
of one boundary (its id), or none. Rejected rows, which hold what a file said, are seen with `*` alone. The owner, who
loads, builds columns and runs jobs, is not bound, unless it asks to be (`bound`).

A query of the parent asks the parent's policies; one of a partition by its name asks the partition's. Partitions have
no policy, so nobody but the owner reads them directly: `cover` sees to that after every migration and restore, and
`shut` when a source gets its partition.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.roles import APP

SETTING = "wangge.area"
EVERYTHING = "*"
_LIMITED = text(
    f"SELECT row_security_active('cases') AND coalesce(current_setting('{SETTING}', true), '') <> '{EVERYTHING}'"
)

COVER = """
DO $$ DECLARE part regclass; BEGIN
  FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = to_regclass('public.cases') LOOP
    EXECUTE format('REVOKE ALL ON %s FROM wangge_app', part);
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = part) THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    END IF;
  END LOOP;
END $$"""


class Unscoped(RuntimeError):
    """A programmer's error: something about all cases was asked of a transaction that does not see them all."""


def tell(session: Session, word: str) -> None:
    """Tells this transaction, and no later one, how far it sees: `*`, the id of a boundary, or nothing."""
    session.execute(text("SELECT set_config(:name, :word, true)"), {"name": SETTING, "word": word})


def _be(session: Session, role: str | None) -> None:
    """Takes a role for this transaction: never `RESET`, which would end the role a web connection stands under."""
    session.execute(text("SELECT set_config('role', :role, true)"), {"role": role or "none"})


@contextlib.contextmanager
def bound(session: Session) -> Iterator[None]:
    """What is read in here is read as the application role, so that the wall holds for a job, which the owner runs, too."""
    before = session.scalar(text("SELECT current_setting('role')"))
    _be(session, APP)
    yield
    _be(session, before)  # after an error the transaction, and the role with it, is over anyway


def need_everything(session: Session) -> None:
    """Raises Unscoped where row-level security would make a figure of all cases silently too small."""
    if session.scalar(_LIMITED):
        raise Unscoped("this needs all cases: open the session with Service.session(geo.areas.CITY)")


def shut(connection: psycopg.Connection, partition: str) -> None:
    """Closes a new partition of `cases` to everybody but its owner; it is read through `cases` alone."""
    name = sql.Identifier(partition)
    connection.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, sql.Identifier(APP)))
