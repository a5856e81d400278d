import pytest

from wzp_cli.adapters.disk.config import Config
from wzp_cli.cli.lan import wants_lan
from wzp_cli.cli.settings import Settings
from wzp_cli.errors import UsageError


def test_it_is_off_unless_asked() -> None:
    assert not wants_lan(Settings(), None, dialled=False)
    assert wants_lan(Settings(), True, dialled=True)
    on = Settings(said=Config(lan=True, privacy="after-answer"))
    assert wants_lan(on, None, dialled=True)
    assert not wants_lan(on, False, dialled=True)


def test_what_contradicts_it_is_refused() -> None:
    with pytest.raises(UsageError, match="--direct off"):
        wants_lan(Settings(), True, dialled=False)
    hidden = Settings(said=Config(lan=True, privacy="always-relay"))
    with pytest.raises(UsageError, match="--no-lan"):
        wants_lan(hidden, None, dialled=True)
