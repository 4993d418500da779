"""Any sequence of edits through the API equals the same sequence on a dictionary."""

from __future__ import annotations

from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from geo.db import session as sessions

Assigned = dict[str, str | None]


class Editing(RuleBasedStateMachine):
    """A planner at the API beside a dictionary unit → grid code with its past and future states."""

    town: ClassVar[Any]
    cases: ClassVar[dict[str, int]]
    made: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        type(self).made += 1
        answer = self.town.ask(
            "POST", "/api/plans", json={"name": f"机器 {self.made}", "like": "草稿"}, headers=self.town.admin
        )
        assert answer.status_code == 201, answer.text
        self.plan, self.revision = answer.json()["id"], 0
        self.model: Assigned = self.assignment()
        self.locked: set[str] = set()
        self.past: list[tuple[Assigned, set[str]]] = []
        self.future: list[tuple[Assigned, set[str]]] = []

    # ── acts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(data=st.data())
    def assign(self, data: Any) -> None:
        units = data.draw(st.lists(st.sampled_from(sorted(self.model)), min_size=1, max_size=6, unique=True))
        target = data.draw(st.sampled_from([None, "new", *self.codes()]))
        answer = self.send("PATCH", "units", {"unit_codes": units, "to_grid": target})
        self.judge_assign(answer, dict.fromkeys(units, target))

    @rule(data=st.data())
    def assign_several(self, data: Any) -> None:
        unit = st.sampled_from(sorted(self.model))
        moves = data.draw(
            st.lists(st.tuples(unit, st.sampled_from([None, *self.codes()])), min_size=2, max_size=4)
        )
        sent = [{"unit_codes": [unit], "to_grid": to} for unit, to in moves]
        answer = self.send("PATCH", "units", {"moves": sent})
        wishes: dict[str, set[str | None]] = {}
        for unit, to in moves:
            wishes.setdefault(unit, set()).add(to)
        twice = [unit for unit, to in wishes.items() if len(to) > 1]
        if twice:
            assert answer.status_code == 422 and answer.json()["type"].endswith(":grid-overlap")
            assert answer.json()["measured"] in twice
        else:
            self.judge_assign(answer, dict(moves))

    def judge_assign(self, answer: Any, wishes: Assigned) -> None:
        moved = {unit: to for unit, to in wishes.items() if self.model[unit] != to}
        touched = {self.model[unit] for unit in moved} | set(moved.values())
        if touched & self.locked:
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:wangge:problem:grid-locked")
            return
        fresh = next((g["code"] for g in self.done(answer)["grids"] if g["code"] not in self.codes()), None)
        self.act(
            answer,
            {**self.model, **{u: fresh if to == "new" else to for u, to in moved.items()}},
            bool(moved),
        )

    @rule(data=st.data())
    def merge(self, data: Any) -> None:
        codes = self.codes()
        if len(codes) < 2:
            return
        a, b = data.draw(st.permutations(codes))[:2]
        answer = self.send("POST", "merge", {"grid": a, "other": b})
        if {a, b} & self.locked:
            assert answer.status_code == 422
        elif not self.neighbours(a, b):
            assert answer.json()["type"] == "urn:wangge:problem:not-neighbours", answer.text
        else:
            assert self.done(answer)["removed"] == [b]
            self.act(answer, {unit: a if to == b else to for unit, to in self.model.items()})

    @rule(data=st.data(), parts=st.integers(2, 3))
    def split(self, data: Any, parts: int) -> None:
        codes = self.codes()
        if not codes:
            return
        code = data.draw(st.sampled_from(codes))
        answer = self.send("POST", "split", {"grid": code, "parts": parts})
        if answer.status_code == 200:
            after = self.assignment()
            assert all(after[unit] == to for unit, to in self.model.items() if to != code)
            assert len({after[unit] for unit, to in self.model.items() if to == code}) == parts
            assert all(g["contiguous"] for g in answer.json()["grids"])
            self.act(answer, after)
        else:
            few = sum(to == code for to in self.model.values()) < parts
            assert few or code in self.locked or answer.json()["type"].endswith(":parts"), answer.text

    @rule(data=st.data(), locked=st.booleans())
    def lock(self, data: Any, locked: bool) -> None:
        codes = self.codes()
        if not codes:
            return
        code = data.draw(st.sampled_from(codes))
        answer = self.send("POST", "lock", {"grids": [code], "locked": locked})
        before, changes = set(self.locked), (code in self.locked) != locked
        self.locked = self.locked | {code} if locked else self.locked - {code}
        self.act(answer, self.model, changes, before)

    @precondition(lambda self: self.past)
    @rule()
    def undo(self) -> None:
        answer = self.send("POST", "undo", {})
        self.future.append((self.model, self.locked))
        self.model, self.locked = self.past.pop()
        self.revision = self.done(answer)["revision"]
        self.compare(answer)

    @precondition(lambda self: self.future)
    @rule()
    def redo(self) -> None:
        answer = self.send("POST", "redo", {})
        self.past.append((self.model, self.locked))
        self.model, self.locked = self.future.pop()
        self.revision = self.done(answer)["revision"]
        self.compare(answer)

    @precondition(lambda self: self.revision > 0)
    @rule(back=st.integers(1, 3), by_header=st.booleans())
    def act_on_an_old_state(self, back: int, by_header: bool) -> None:
        seen = max(0, self.revision - back)
        body = {"unit_codes": [min(self.model)], "to_grid": None}
        more = {"headers": {"If-Match": f'"r{seen}.x"'}} if by_header else {"revision": seen}
        answer = self.send("PATCH", "units", body, **more)
        assert answer.status_code == (412 if by_header else 409), answer.text
        told = answer.json()
        assert told["revision"] == self.revision and told["author"] == "tester" and told["at"]
        assert len(told["changed"]["acts"]) == self.revision - seen
        self.compare(None)

    # ── the naive side ──────────────────────────────────────────────────────────────────────────────────────────────

    def act(self, answer: Any, after: Assigned, changes: bool = True, locked: set[str] | None = None) -> None:
        done = self.done(answer)
        assert done["revision"] == self.revision + changes
        if changes:
            self.past.append((self.model, set(self.locked) if locked is None else locked))
            self.future = []
        self.model, self.revision = after, done["revision"]
        self.compare(answer)

    def compare(self, answer: Any) -> None:
        assert self.assignment() == self.model
        table = self.get("grids")
        assert table["codes"] == self.codes() and table["revision"] == self.revision
        assert {c for c, locked in zip(table["codes"], table["locked"], strict=True) if locked} == self.locked
        for code, n, load in zip(table["codes"], table["units"], table["loads"]["cases"], strict=True):
            members = [unit for unit, to in self.model.items() if to == code]
            assert (n, load) == (len(members), sum(self.cases[unit] for unit in members))
        if answer is not None:
            told = answer.json()
            assert told["score"] == table["score"]
            assert (told["can_undo"], told["can_redo"]) == (bool(self.past), bool(self.future))
            now = dict(zip(table["codes"], zip(table["area_m2"], table["parts"], strict=True), strict=True))
            for grid in told["grids"]:
                assert now[grid["code"]] == (grid["area_m2"], grid["parts"])

    def codes(self) -> list[str]:
        return sorted({to for to in self.model.values() if to is not None})

    def neighbours(self, a: str, b: str) -> bool:
        places = {code: [unit for unit, to in self.model.items() if to == code] for code in (a, b)}
        at = {code: [(int(u[1:3]), int(u[3:5])) for u in units] for code, units in places.items()}
        return any(abs(i - k) + abs(j - m) == 1 for i, j in at[a] for k, m in at[b])

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, method: str, what: str, body: dict[str, Any], **more: Any) -> Any:
        headers = {**self.town.admin, **more.pop("headers", {})}
        if "If-Match" not in headers:
            body = {"revision": self.revision, **body, **more}
        return self.town.ask(method, f"/api/plans/{self.plan}/{what}", json=body, headers=headers)

    def done(self, answer: Any) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, what: str) -> Any:
        return self.done(self.town.staff(f"/api/plans/{self.plan}/{what}"))

    def assignment(self) -> Assigned:
        found = self.get("assignment?units=code")
        return {
            unit: found["grids"][g] if g >= 0 else None
            for unit, g in zip(found["units"], found["grid"], strict=True)
        }


@pytest.mark.parametrize(
    ("examples", "steps"), [(4, 10), pytest.param(40, 25, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_edits_equal_a_dictionary(town: Any, examples: int, steps: int) -> None:
    Editing.town = town
    with sessions.session(town.settings) as s:
        rows = s.execute(
            text(
                "SELECT u.code, count(c.id) FROM unit u LEFT JOIN cases c ON c.unit_id = u.id GROUP BY u.code"
            )
        )
        Editing.cases = {code: int(n) for code, n in rows}
    run_state_machine_as_test(
        Editing,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
