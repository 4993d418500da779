"""Where things stand on this machine: one frozen value, built once at the edge and passed down.

Nothing here is read when the module is imported. The command line or the web application calls
`Settings.from_environment()` once; everybody else receives the value.

>>> s = Settings(home=Path("/tmp/wangge-example"))
>>> s.cluster_dir.name, s.columns_dir.name, s.exports_dir.name
('pg', 'columns', 'exports')
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

SOCKET_PATH_LIMIT_BYTES = 100  # the kernel's own limit is 107; PostgreSQL appends "/.s.PGSQL.5432"
SOCKET_NAME = ".s.PGSQL.5432"
ROLES = ("public", "worker", "supervisor", "planner", "admin")


def default_home(environment: Mapping[str, str]) -> Path:
    """The data folder when nobody chose one.

    Root keeps it in `/var/lib/wangge`, where the `postgres` user can reach it; anybody else in
    `$XDG_DATA_HOME/wangge` (by the XDG base directory specification `~/.local/share`).
    """
    if os.geteuid() == 0:
        return Path("/var/lib/wangge")
    base = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "wangge"


def reference(name: str = "") -> Path:
    """The path of a reference file shipped with Wangge, such as `sources.toml` or `calendars`.

    In a checkout that is `data/` beside the packages, in an installed wheel `wangge_data/` beside them.

    >>> reference("sources.toml").name
    'sources.toml'
    """
    beside = Path(__file__).resolve().parent.parent
    shipped = beside / "wangge_data"
    return (shipped if shipped.is_dir() else beside / "data") / name


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs from machine to machine.

    `home` holds the private database cluster, the column files and the exports. `database_url` names a
    PostgreSQL server of one's own (`postgresql://user:password@host/database`); without it the private
    cluster under `home` is used. `tianditu_key` and `basemap_pmtiles` switch on a background map.
    """

    home: Path
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000  # 0 takes any free one
    workers: int = 1
    allowed_hosts: tuple[str, ...] = ("*",)
    trusted_proxies: tuple[str, ...] = ()
    tianditu_key: str | None = None
    basemap_pmtiles: Path | None = None
    language: str | None = None
    job_memory_mb: int = 0  # what one job may use; 0: three quarters of the machine's
    session_idle_minutes: int = 30  # a session of the page ends this long after its last request
    session_hours: int = 12  # and this long after sign-in, whatever happens
    small_office: bool = False  # a planner may approve a plan of their own
    public_comments: bool = False  # a draft may be opened to the public, to look at and to remark on
    public_url: str | None = None  # where browsers reach the service, such as https://grid.example.cn
    oidc_issuer: str | None = None  # an OpenID Connect provider; the other oidc_ settings belong to it
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_label: str = ""  # what its button says
    oidc_role_claim: str = ""  # the claim that holds roles or groups
    oidc_roles: tuple[str, ...] = ()  # value=role pairs; without them the account's own role holds
    oidc_unknown: str = "refuse"  # or "public": who has no account gets one that sees what the public sees
    export_days: int = 7  # how long an exported file is kept
    fsync: bool = True  # only the throwaway cluster of the tests turns it off

    @classmethod
    def from_environment(
        cls, home: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Settings:
        """Reads `WANGGE_*` once. `home`, from `--data DIR`, wins over `WANGGE_HOME`.

        >>> Settings.from_environment(environment={"WANGGE_HOME": "/tmp/a", "WANGGE_PORT": "8123"}).port
        8123
        """
        env = os.environ if environment is None else environment
        chosen = home or (Path(env["WANGGE_HOME"]) if env.get("WANGGE_HOME") else default_home(env))
        pmtiles = env.get("WANGGE_BASEMAP_PMTILES")
        return cls(
            home=Path(os.path.abspath(chosen.expanduser())),  # noqa: PTH100  resolve() would follow links
            database_url=env.get("WANGGE_DATABASE_URL") or None,
            host=env.get("WANGGE_HOST") or "127.0.0.1",
            port=_whole(env, "WANGGE_PORT", 8000, 0, 65535),
            workers=_whole(env, "WANGGE_WORKERS", min(4, os.cpu_count() or 1), 1, 64),
            allowed_hosts=_words(env.get("WANGGE_ALLOWED_HOSTS")) or ("*",),
            trusted_proxies=_words(env.get("WANGGE_TRUSTED_PROXIES")),
            tianditu_key=env.get("WANGGE_TIANDITU_KEY") or None,
            basemap_pmtiles=Path(pmtiles) if pmtiles else None,
            language=env.get("WANGGE_LANG") or None,
            job_memory_mb=_whole(env, "WANGGE_JOB_MEMORY_MB", 0, 0, 2**31),
            session_idle_minutes=_whole(env, "WANGGE_SESSION_IDLE_MINUTES", 30, 1, 24 * 60),
            session_hours=_whole(env, "WANGGE_SESSION_HOURS", 12, 1, 24 * 30),
            small_office=env.get("WANGGE_SMALL_OFFICE") == "1",
            public_comments=env.get("WANGGE_PUBLIC_COMMENTS") == "1",
            public_url=(env.get("WANGGE_PUBLIC_URL") or "").rstrip("/") or None,
            oidc_issuer=env.get("WANGGE_OIDC_ISSUER") or None,
            oidc_client_id=env.get("WANGGE_OIDC_CLIENT_ID") or "",
            oidc_client_secret=env.get("WANGGE_OIDC_CLIENT_SECRET") or "",
            oidc_label=env.get("WANGGE_OIDC_LABEL") or "",
            oidc_role_claim=env.get("WANGGE_OIDC_ROLE_CLAIM") or "",
            oidc_roles=_pairs(env, "WANGGE_OIDC_ROLES"),
            oidc_unknown=_one_of(env, "WANGGE_OIDC_UNKNOWN", ("refuse", "public")),
            export_days=_whole(env, "WANGGE_EXPORT_DAYS", 7, 1, 30),
            fsync=env.get("WANGGE_FSYNC", "on") != "off",
        )

    def to_environment(self) -> dict[str, str]:
        """The same settings as variables, for a child process. Inverse of `from_environment`."""
        names = {
            "WANGGE_HOME": str(self.home),
            "WANGGE_DATABASE_URL": self.database_url or "",
            "WANGGE_HOST": self.host,
            "WANGGE_PORT": str(self.port),
            "WANGGE_WORKERS": str(self.workers),
            "WANGGE_ALLOWED_HOSTS": ",".join(self.allowed_hosts),
            "WANGGE_TRUSTED_PROXIES": ",".join(self.trusted_proxies),
            "WANGGE_TIANDITU_KEY": self.tianditu_key or "",
            "WANGGE_BASEMAP_PMTILES": str(self.basemap_pmtiles or ""),
            "WANGGE_LANG": self.language or "",
            "WANGGE_JOB_MEMORY_MB": str(self.job_memory_mb),
            "WANGGE_SESSION_IDLE_MINUTES": str(self.session_idle_minutes),
            "WANGGE_SESSION_HOURS": str(self.session_hours),
            "WANGGE_SMALL_OFFICE": "1" if self.small_office else "",
            "WANGGE_PUBLIC_COMMENTS": "1" if self.public_comments else "",
            "WANGGE_PUBLIC_URL": self.public_url or "",
            "WANGGE_OIDC_ISSUER": self.oidc_issuer or "",
            "WANGGE_OIDC_CLIENT_ID": self.oidc_client_id,
            "WANGGE_OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "WANGGE_OIDC_LABEL": self.oidc_label,
            "WANGGE_OIDC_ROLE_CLAIM": self.oidc_role_claim,
            "WANGGE_OIDC_ROLES": ",".join(self.oidc_roles),
            "WANGGE_OIDC_UNKNOWN": self.oidc_unknown,
            "WANGGE_EXPORT_DAYS": str(self.export_days),
            "WANGGE_FSYNC": "on" if self.fsync else "off",
        }
        assert len(names) == len(fields(self))
        return names

    def with_(self, **changes: object) -> Settings:
        """A copy with some values replaced; a value of None keeps what was there."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})  # type: ignore[arg-type]

    @property
    def cluster_dir(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "pg"

    @property
    def columns_dir(self) -> Path:
        """Cases as memory-mapped column files."""
        return self.home / "columns"

    @property
    def exports_dir(self) -> Path:
        """Finished exports, until they are fetched or expire."""
        return self.home / "exports"

    @property
    def uploads_dir(self) -> Path:
        """Files waiting for, or being read by, a load job."""
        return self.home / "uploads"

    @property
    def cache_dir(self) -> Path:
        """What may be deleted at any time, such as compiled kernels."""
        return self.home / "cache"

    @property
    def socket_dir(self) -> Path:
        """Where the private cluster's unix socket stands: in `home`, or in a short hashed place."""
        beside = self.home / "run"
        plain = not set(str(beside)) & set(
            ",'\"\\\n@"
        )  # characters that mean something in PostgreSQL's settings
        if plain and len(os.fsencode(beside / SOCKET_NAME)) <= SOCKET_PATH_LIMIT_BYTES:
            return beside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"wangge-{digest}"


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name}={text!r}: a whole number from {low} to {high} is needed")
    return int(text)


def _one_of(env: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of the words; the first when nothing is set."""
    text = env.get(name) or words[0]
    if text not in words:
        raise ValueError(f"{name}={text!r}: one of {', '.join(words)} is needed")
    return text


def _pairs(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """`value=word` pairs, separated by commas."""
    found = _words(env.get(name))
    for pair in found:
        value, _, word = pair.rpartition("=")
        if not value or word not in ROLES:
            raise ValueError(f"{name}={pair!r}: value=role is needed, role one of {', '.join(ROLES)}")
    return found


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
