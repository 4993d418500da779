"""Passwords: how they are kept (argon2id), which are refused, and how one is made.

Parameters: 19 MiB, two passes, one lane, the OWASP Password Storage Cheat Sheet's minimum for argon2id (2023 and
later; RFC 9106 describes the function). A check takes some 50 ms of one core on purpose, so no more than
`AT_ONCE` run in a process. A hash made with other parameters is made anew at the next sign-in.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from geo.errors import RefusedArgument

if TYPE_CHECKING:  # the compiled library costs a tenth of a second; most commands check no password
    from argon2 import PasswordHasher

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
SHORTEST, LONGEST = 10, 200
AT_ONCE = 4
FEWEST_DIFFERENT = 5
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0, 1: read aloud and typed from paper
_TRIED_FIRST = """abc abcd admin administrator asdfghjkl changeme city demo grid hello iloveyou letmein login master mima pass
    passw0rd password planner public qazwsx qazwsxedc qwer qwert qwerty qwertyuiop root secret supervisor test user wang wangge
    welcome woaini worker zaq1zaq1 zxcvbnm 密码 网格 网格化 网格员 网格长 管理员 测试 中国 社区 街道"""
TRIVIAL = frozenset(_TRIED_FIRST.split())
RUNS = (
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
_turns = threading.BoundedSemaphore(AT_ONCE)


def refuse_weak(password: str, name: str) -> None:
    """Raises RefusedArgument for a password that is too short, too long, one's own name, or what everybody tries first.

    >>> refuse_weak("correct horse battery", "li")
    """
    plain = _normal(password)
    if len(plain) < SHORTEST or len(password) > LONGEST:
        raise _refused(
            f"密码应为 {SHORTEST} 至 {LONGEST} 个字符。",
            f"A password has {SHORTEST} to {LONGEST} characters.",
        )
    if not plain.isprintable():
        raise _refused("密码含有不可见字符。", "The password holds characters that cannot be seen.")
    low, own = plain.casefold(), _normal(name).casefold()
    if own and _without(low, own) < SHORTEST - 2:
        raise _refused("密码不得以用户名为主。", "The password is little more than the user name.")
    if len(set(low)) < FEWEST_DIFFERENT or any(low in run * 10 for run in RUNS) or _core(low) in TRIVIAL:
        raise _refused("密码太容易猜到。", "The password is one that is tried first.")


def make() -> str:
    """A random password of 16 characters in four groups: 79 bits.

    >>> len(make()), make() != make()
    (19, True)
    """
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))


def hashed(password: str) -> str:
    """What is stored of a password."""
    with _turns:
        return _hasher().hash(_normal(password))


def right(stored: str | None, password: str) -> bool:
    """Whether a password is the one that was stored. Without a stored one a stand-in is checked, so that an unknown
    name takes as long as a wrong password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _turns:
        try:
            _hasher().verify(stored or _stand_in(), _normal(password[: 4 * LONGEST]))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(stored)


def _hasher() -> PasswordHasher:
    return _made(PASSES, MEMORY_KIB, LANES)


@lru_cache(maxsize=4)
def _made(passes: int, memory_kib: int, lanes: int) -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes)


@lru_cache(maxsize=1)
def _stand_in() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def _normal(password: str) -> str:
    """One form for one text, whatever keyboard it came from (NFKC, as NIST SP 800-63B 5.1.1.2 advises)."""
    return unicodedata.normalize("NFKC", password)


def _without(password: str, name: str) -> int:
    """How many characters are left when the name is taken out."""
    return len(password.replace(name, "")) if len(name) > 1 else len(password)


def _core(password: str) -> str:
    """The word inside digits and signs, halved while it repeats itself.

    >>> _core("password2026!!"), _core("admin.admin.")
    ('password', 'admin')
    """
    word = "".join(c for c in password if c.isalpha())
    for parts in range(len(word), 1, -1):
        size, rest = divmod(len(word), parts)
        if rest == 0 and word[:size] * parts == word:
            return word[:size]
    return word.strip()


def _refused(zh: str, en: str) -> RefusedArgument:
    return RefusedArgument(
        zh, en, code="password-weak", field="password",
        do_zh="可用几个不相干的词，或让系统生成一个。", do_en="Use a few unrelated words, or have one made.",
    )  # fmt: skip
