"""Cases in the database: the partition of a source, its categories, the stage and the merge.

The first load of a source copies straight into a table created in the same transaction (with wal_level=minimal
PostgreSQL then writes no WAL for the rows) and attaches it as the source's partition; a later one stages, compares
`row_hash` and changes only what differs. Everything that other loaders also write (sources, categories, runs) is
written last, under one short lock, so that two loads never wait for each other in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import copying
from etl.cases.batch import Cleaned
from etl.cases.categories import write_new
from etl.cases.partition import create_partition
from etl.locks import wait_for
from geo.db import walls
from geo.db.session import raw
from geo.db.tables import CASE_IDS
from geo.errors import RefusedFile

CATEGORIES = 20_000
UNCATEGORISED = ("-", "未分类", "Uncategorised")
COLUMNS: tuple[LiteralString, ...] = (
    "source_id", "id", "source_case_id", "opened_at", "closed_at", "due_at", "dispatched_at", "category_id", "status", "origin",
    "urgency", "satisfied", "flags", "responsible_body", "repeat_of", "description", "attributes", "row_hash", "geom",
    "unit_id", "load_run_id",
)  # fmt: skip


ROW_FIELDS = (
    "opened_at", "closed_at", "due_at", "dispatched_at", "status", "origin", "urgency", "satisfied", "flags",
    "responsible_body", "repeat_of", "description", "attributes", "geom",
)  # fmt: skip  # of `row_columns`, but for the words of the category


@dataclass(frozen=True)
class Encoded:
    """Rows of a batch as COPY takes them, and the columns they fill."""

    columns: tuple[str, ...]
    payload: NDArray[np.uint8]
    rows: int


@dataclass
class SourceState:
    """A source as the database knows it, or as it will be created."""

    id: int
    name: str
    catalogue_id: int
    is_new: bool
    has_partition: bool
    closed_catalogue: bool = False
    categories: dict[tuple[str, str | None], int] = field(default_factory=dict)
    new_categories: list[dict[str, Any]] = field(default_factory=list)

    @property
    def partition(self) -> str:
        """The name of its partition of `cases`."""
        return f"cases_{self.id}"


# ── Locks and state ─────────────────────────────────────────────────────────────────────────────────────────────────


def lock_source(session: Session, name: str) -> None:
    """Wait up to 60 s for the loads of this source that run now, then refuse."""
    wait_for(session, "cases", name)


def lock_finish(session: Session) -> None:
    """The short lock under which a load writes what others write too."""
    wait_for(session, "finish", "cases")


def state_of(session: Session, name: str) -> SourceState:
    """The source with its categories; a new one gets its ids reserved, nothing is written."""
    row = session.execute(
        text(
            "SELECT s.id, s.catalogue_id, c.open, to_regclass('cases_' || s.id) IS NOT NULL "
            "FROM source s JOIN catalogue c ON c.id = s.catalogue_id WHERE s.name = :name"
        ),
        {"name": name},
    ).one_or_none()
    if row is None:
        found = session.execute(
            text("SELECT id, open FROM catalogue WHERE name = :name"), {"name": name}
        ).one_or_none()
        catalogue = found.id if found else _next(session, "catalogue")
        state = SourceState(_next(session, "source"), name, catalogue, is_new=True, has_partition=False)
        state.closed_catalogue = bool(found and not found.open)
    else:
        state = SourceState(
            row[0], name, row[1], is_new=False, has_partition=row[3], closed_catalogue=not row[2]
        )
    known = session.execute(
        text(
            "SELECT k.id, p.code AS top, k.code, k.parent_id FROM category k "
            "LEFT JOIN category p ON p.id = k.parent_id WHERE k.catalogue_id = :catalogue"
        ),
        {"catalogue": state.catalogue_id},
    )
    for item in known:
        key = (item.code, None) if item.parent_id is None else (item.top, item.code)
        state.categories[key] = item.id
    return state


def _next(session: Session, table: str) -> int:
    return int(
        session.scalar(text("SELECT nextval(pg_get_serial_sequence(:table, 'id'))"), {"table": table}) or 0
    )


def category_code(word: str) -> str:
    """The code of a source's own word: the word, without the slash that separates keys.

    >>> category_code("Noise - Street/Sidewalk")
    'Noise - Street／Sidewalk'
    """
    return word.replace("/", "／")


def category_id(session: Session, state: SourceState, top: str | None, sub: str | None) -> int | None:
    """The id of a category of the source, reserved when it is new; None when its catalogue is closed."""
    if top is None and sub is None:
        return _category(session, state, UNCATEGORISED[0], None, UNCATEGORISED[1], UNCATEGORISED[2])
    head, name = (top, sub) if top is not None else (sub, None)
    assert head is not None
    parent = _category(session, state, category_code(head), None, head, None)
    if name is None or parent is None:
        return parent
    return _category(session, state, category_code(head), category_code(name), name, None)


def _category(
    session: Session, state: SourceState, top: str, sub: str | None, name: str, name_en: str | None
) -> int | None:
    known = state.categories.get((top, sub))
    if known is not None:
        return known
    if state.closed_catalogue and top != UNCATEGORISED[0]:
        return None
    if len(state.categories) >= CATEGORIES:
        raise RefusedFile(
            f"类别超过 {CATEGORIES} 种：类别列多半选错了。",
            f"More than {CATEGORIES} categories: the category column is probably another one.",
            code="category-column",
            do_en="Name it with --map.",
            do_zh="用 --map 指定类别列。",
        )
    new = _next(session, "category")
    parent = None if sub is None else state.categories[(top, None)]
    state.categories[(top, sub)] = new
    row = {
        "id": new,
        "catalogue": state.catalogue_id,
        "parent": parent,
        "code": sub or top,
        "name": name,
        "en": name_en,
    }
    state.new_categories.append(row)
    return new


def write_source(session: Session, state: SourceState, timezone: str | None) -> dict[int, int]:
    """Insert the new source, its catalogue and its new categories (under `lock_finish`).

    Returns {reserved: id} of categories that a load of another source wrote meanwhile: theirs holds (`recategorise`).
    """
    if state.is_new:
        state.catalogue_id = _catalogue(session, state)
        session.execute(
            text(
                "INSERT INTO source (id, name, timezone, catalogue_id) VALUES (:id, :name, :timezone, :catalogue)"
            ),
            {"id": state.id, "name": state.name, "timezone": timezone, "catalogue": state.catalogue_id},
        )
    lost = write_new(session, state.new_categories, state.catalogue_id)
    state.new_categories = [row for row in state.new_categories if row["id"] not in lost]
    return lost


def _catalogue(session: Session, state: SourceState) -> int:
    """The catalogue of a new source's name, made when there is none by now."""
    name = {"id": state.catalogue_id, "name": state.name}
    session.execute(
        text("INSERT INTO catalogue (id, name, open) VALUES (:id, :name, true) ON CONFLICT DO NOTHING"), name
    )
    return int(session.execute(text("SELECT id FROM catalogue WHERE name = :name"), name).scalar_one())


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Writer:
    """Where the rows of one load go: straight into a new partition, or into a stage to be merged."""

    def __init__(self, session: Session, state: SourceState, run_id: int) -> None:
        self.session, self.state, self.run_id = session, state, run_id
        self.direct = not state.has_partition
        self.table = state.partition if self.direct else "case_stage"
        self.connection = raw(session)
        self.rows = 0
        self._create()

    def _create(self) -> None:
        if self.direct:
            create_partition(self.connection, self.table, self.state.id)
            self._run(
                "SET LOCAL backend_flush_after = '1MB'"
            )  # written to disk while rows come, not at the end
        else:
            self._run(
                "CREATE TEMP TABLE {table} (LIKE cases INCLUDING DEFAULTS INCLUDING CONSTRAINTS) ON COMMIT DROP"
            )
        self._run(
            "ALTER TABLE {table} ALTER source_id SET DEFAULT {source}, ALTER load_run_id SET DEFAULT {run}"
        )

    def _run(self, statement: LiteralString) -> int:
        query = sql.SQL(statement).format(
            table=sql.Identifier(self.table),
            source=sql.Literal(self.state.id),
            run=sql.Literal(self.run_id),
            columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        )
        return self.connection.execute(query).rowcount

    def reserve(self, rows: int) -> NDArray[np.int64]:
        """Ids for as many rows, in rising order."""
        query = "SELECT nextval(pg_get_serial_sequence('cases', 'id')) FROM generate_series(1, %s)"
        blocks = self.connection.execute(query, [-(-rows // CASE_IDS)]).fetchall()
        first = np.array([row[0] for row in blocks], np.int64)
        return (first[:, None] + np.arange(CASE_IDS)).reshape(-1)[:rows]

    def write(self, encoded: Encoded) -> None:
        """Copy the rows of a batch."""
        freeze: LiteralString = ", FREEZE" if self.direct else ""
        query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY" + freeze + ")").format(
            sql.Identifier(self.table), sql.SQL(", ").join(map(sql.Identifier, encoded.columns))
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            copy.write(copying.HEAD)
            view = memoryview(encoded.payload.data)
            for start in range(0, len(view), 1 << 20):
                copy.write(view[start : start + (1 << 20)])
            copy.write(copying.TAIL)
        self.rows += encoded.rows

    def drop_repeats(self) -> int:
        """Of ids that stand more than once keep one row when all are equal, none when they differ; rows removed."""
        return self._run(
            "DELETE FROM {table} t USING (SELECT source_case_id, min(ctid) AS first, count(DISTINCT row_hash) = 1 AS same "
            "FROM {table} GROUP BY source_case_id HAVING count(*) > 1) r "
            "WHERE t.source_case_id = r.source_case_id AND NOT (r.same AND t.ctid = r.first)"
        )

    def recategorise(self, lost: dict[int, int]) -> None:
        """Give rows of a reserved category the id that holds (of `write_source`)."""
        for reserved, id_ in lost.items():
            self.connection.execute(
                sql.SQL("UPDATE {} SET category_id = {} WHERE category_id = {}").format(
                    sql.Identifier(self.table), sql.Literal(id_), sql.Literal(reserved)
                )
            )

    def compare(self) -> tuple[int, int, int]:
        """(added, updated, unchanged) that `apply` will make."""
        if self.direct:
            return self.rows, 0, 0
        self._run("ANALYZE {table}")
        row = self.connection.execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE c.row_hash IS NULL), count(*) FILTER (WHERE c.row_hash <> s.row_hash), "
                "count(*) FILTER (WHERE c.row_hash = s.row_hash) FROM {} s LEFT JOIN cases c "
                "ON c.source_id = {} AND c.source_case_id = s.source_case_id"
            ).format(sql.Identifier(self.table), sql.Literal(self.state.id))
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def apply(self) -> None:
        """Attach the new partition, or merge the stage. The run and the categories must be written by now."""
        if self.direct:
            self._run("SET LOCAL maintenance_work_mem = '512MB'")
            self._run("ALTER TABLE {table} ALTER source_id DROP DEFAULT, ALTER load_run_id DROP DEFAULT")
            self._run("ALTER TABLE cases ATTACH PARTITION {table} FOR VALUES IN ({source})")
            self._run("ALTER TABLE {table} DROP CONSTRAINT source")
            walls.shut(self.connection, self.table)
            self._run("ANALYZE {table}")
            return
        changed = sql.SQL(", ").join(
            sql.SQL("{0} = s.{0}").format(sql.Identifier(name))
            for name in COLUMNS
            if name not in ("source_id", "id", "source_case_id")
        )
        self.connection.execute(
            sql.SQL(
                "UPDATE cases c SET {changed} FROM {table} s WHERE c.source_id = {source} "
                "AND c.source_case_id = s.source_case_id AND c.row_hash <> s.row_hash"
            ).format(changed=changed, table=sql.Identifier(self.table), source=sql.Literal(self.state.id))
        )
        self._run(
            "INSERT INTO cases ({columns}) SELECT {columns} FROM {table} s WHERE NOT EXISTS "
            "(SELECT 1 FROM cases c WHERE c.source_id = {source} AND c.source_case_id = s.source_case_id)"
        )
        self._run("DROP TABLE {table}")

    def discard(self) -> None:
        """Nothing was kept: leave no empty partition behind."""
        self._run("DROP TABLE {table}")


def row_columns(c: Cleaned) -> list[copying.Column]:
    """The values a row's hash is made of: everything the source said, category by its words."""
    return [
        copying.instants(c.opened),
        copying.instants(c.closed),
        copying.instants(c.due),
        copying.instants(c.dispatched),
        copying.texts(c.top),
        copying.texts(c.sub),
        copying.fixed(c.status, ">i2"),
        copying.fixed(c.origin, ">i2"),
        copying.fixed(c.urgency, ">i2", c.urgency < 0),
        copying.fixed(c.satisfied, "u1", c.satisfied < 0),
        copying.fixed(c.flags, ">i2"),
        copying.texts(c.body),
        copying.texts(c.repeat_of),
        copying.texts(c.description),
        copying.jsons(c.attributes),
        copying.points(c.lon, c.lat),
    ]


def encode(
    c: Cleaned,
    columns: list[copying.Column],
    hashes: NDArray[np.uint64],
    categories: NDArray[np.int32],
    units: NDArray[np.int32],
    ids: NDArray[np.int64],
) -> Encoded:
    """COPY rows of a cleaned batch; unit −1 is null.

    What the table fills in by itself is left out (source and run, columns without any value, origin and flags of 0):
    every field of every row costs the server a call.
    """
    n = len(c)
    fields = {
        "id": copying.fixed(ids, ">i8"),
        "source_case_id": copying.texts(c.id),
        **dict(zip(ROW_FIELDS, [*columns[:4], *columns[6:]], strict=True)),
        "category_id": copying.fixed(categories, ">i4"),
        "row_hash": copying.records(copying.hash_bytes(hashes)),
        "unit_id": copying.fixed(units, ">i4", units < 0),
    }
    spared = {name for name, values in (("origin", c.origin), ("flags", c.flags)) if not values.any()}
    used = {name: column for name, column in fields.items() if name not in spared and not column.empty}
    return Encoded(tuple(used), copying.rows(list(used.values()), n), n)
