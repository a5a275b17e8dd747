from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import read
from core.errors import Invalid


def test_flags_come_before_the_environment_and_the_environment_before_the_defaults() -> None:
    environ = {"INTERLOCK_PORT": "9000", "INTERLOCK_HOST": "::1", "INTERLOCK_DATA": "/srv/hub"}
    assert read({}).port == 8000
    assert read({}).host == "127.0.0.1"
    assert read(environ).port == 9000
    assert read(environ, port=0).port == 0
    assert read(environ, host="127.0.0.2").host == "127.0.0.2"
    assert read(environ).data == Path("/srv/hub")
    assert read(environ, data=Path("/other")).data == Path("/other")
    assert read({"INTERLOCK_CONFIG": "/etc/hub.yaml"}).config == Path("/etc/hub.yaml")


@pytest.mark.parametrize("port", ["http", "-1", "65536", "８000", "8000 "])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(Invalid) as refused:
        read({"INTERLOCK_PORT": port})
    assert refused.value.code == "bad_port"
    assert "INTERLOCK_PORT" in refused.value.message


def test_a_database_url_is_postgresql_or_refused_without_repeating_its_password() -> None:
    assert read({"INTERLOCK_DATABASE_URL": "postgresql://hub@/x"}).database == "postgresql://hub@/x"
    assert read({}, data=Path("/d")).database == Path("/d/hub.db")
    with pytest.raises(Invalid) as refused:
        read({"INTERLOCK_DATABASE_URL": "mysql://u:hunter2@host/x"})  # not a secret
    assert refused.value.code == "bad_database_url"
    assert "hunter2" not in refused.value.message


def test_a_redis_url_is_refused_rather_than_ignored() -> None:
    with pytest.raises(Invalid) as refused:
        read({"INTERLOCK_REDIS_URL": "redis://x"})
    assert refused.value.code == "no_redis"


def test_the_default_anchor_is_outside_the_data_directory_and_one_for_each() -> None:
    environ = {"HOME": "/home/ana"}
    one, two = read(environ, data=Path("/a/data")), read(environ, data=Path("/b/data"))
    assert one.default_anchor is not None
    assert one.default_anchor.parent == Path("/home/ana/.local/state/interlock")
    assert one.default_anchor != two.default_anchor
    given = read({**environ, "XDG_STATE_HOME": "/state"}).default_anchor
    assert given is not None
    assert given.is_relative_to("/state/interlock")
    assert read({}).default_anchor is None


def test_the_control_socket_is_where_the_hub_says_when_its_path_is_long(tmp_path: Path) -> None:
    settings = read({}, data=tmp_path)
    assert settings.socket == tmp_path / "control.sock"
    (tmp_path / "control.path").write_text("/tmp/short/control.sock\n")
    assert settings.socket == Path("/tmp/short/control.sock")
