"""Settings are one value, read once, from the environment that is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from geo.settings import SOCKET_NAME, Settings, default_home, reference


def test_the_flag_wins_over_the_variable() -> None:
    env = {"WANGGE_HOME": "/srv/a"}
    assert Settings.from_environment(environment=env).home == Path("/srv/a")
    assert Settings.from_environment(Path("/srv/b"), env).home == Path("/srv/b")
    assert Settings.from_environment(Path("c"), env).home == Path.cwd() / "c"


def test_the_default_home() -> None:
    found = default_home({"XDG_DATA_HOME": "/srv/xdg"})
    assert found == (Path("/var/lib/wangge") if os.geteuid() == 0 else Path("/srv/xdg/wangge"))


def test_settings_survive_the_way_to_a_child() -> None:
    settings = Settings(
        home=Path("/srv/城市"),
        database_url="postgresql://a@b/c",
        host="::1",
        port=81,
        workers=3,
        allowed_hosts=("a.example", "b.example"),
        trusted_proxies=("10.0.0.1",),
        tianditu_key="k",
        basemap_pmtiles=Path("/srv/base.pmtiles"),
        language="en",
        fsync=False,
        session_idle_minutes=7,
        session_hours=3,
        small_office=True,
        public_comments=True,
        public_url="https://grid.example.cn",
        oidc_issuer="https://id.example.cn/",
        oidc_client_id="wangge",
        oidc_client_secret="s3cret, with comma",
        oidc_label="市民云",
        oidc_role_claim="groups",
        oidc_roles=("a=b=planner", "网格=supervisor"),
        oidc_unknown="public",
    )
    assert Settings.from_environment(environment=settings.to_environment()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WANGGE_PORT", "1.5"),
        ("WANGGE_PORT", "x"),
        ("WANGGE_WORKERS", "-1"),
        ("WANGGE_PORT", "70000"),
        ("WANGGE_SESSION_IDLE_MINUTES", "0"),
        ("WANGGE_SESSION_HOURS", "forever"),
        ("WANGGE_OIDC_UNKNOWN", "admin"),
        ("WANGGE_OIDC_ROLES", "group=boss"),
        ("WANGGE_OIDC_ROLES", "planner"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.from_environment(environment={name: value})


def test_the_socket_path_is_never_too_long() -> None:
    for depth in (0, 3, 10, 40):
        settings = Settings(home=Path("/srv") / "/".join(["长文件夹"] * depth))
        assert len(os.fsencode(settings.socket_dir / SOCKET_NAME)) <= 100


def test_two_long_homes_have_two_sockets() -> None:
    a, b = (Settings(home=Path("/srv") / (letter * 120)) for letter in "ab")
    assert a.socket_dir != b.socket_dir


def test_reference_data_is_found() -> None:
    assert reference().is_dir()
    assert reference("sources.toml").is_file()


def test_nothing_is_read_when_a_module_is_imported() -> None:
    code = "import geo.settings, geo.db.session, geo.db.cluster, geo.db.migrations, api.cli"
    environment = {**os.environ, "WANGGE_PORT": "not a number", "WANGGE_HOME": "/nowhere/at/all"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_secret_is_not_shown_with_the_settings() -> None:
    assert "hidden-one" not in repr(Settings(home=Path("/srv"), oidc_client_secret="hidden-one"))
