import importlib
import pkgutil

from wzp_cli import defaults
from wzp_cli.defaults import media

ROOMS = [
    importlib.import_module(f"wzp_cli.defaults.{found.name}")
    for found in pkgutil.iter_modules(defaults.__path__)
]
VALUES = {name: getattr(room, name) for room in ROOMS for name in room.__all__}


def test_all_defaults_are_offered_in_order_and_once() -> None:
    for room in ROOMS:
        assert sorted(room.__all__) == room.__all__
    assert len(VALUES) == sum(len(room.__all__) for room in ROOMS)


def test_the_frame_follows_from_clock_and_length() -> None:
    assert media.MEDIA_FRAME_SAMPLES == 960
    assert media.MEDIA_FRAME_BYTES == 1920


def test_ports_are_ports() -> None:
    ports = {name: value for name, value in VALUES.items() if name.endswith("_PORT")}
    assert ports
    assert all(0 < port < 65536 for port in ports.values())


def test_times_and_sizes_are_not_negative() -> None:
    units = ("_S", "_MS", "_BYTES", "_FRAMES", "_SAMPLES", "_HZ", "_BPS")
    for name, value in VALUES.items():
        if name.endswith(units):
            several = value if isinstance(value, tuple) else (value,)
            assert all(each >= 0 for each in several), name


def test_least_and_most_are_in_order() -> None:
    for low, high in (("_MIN_", "_MAX_"), ("_FIRST", "_LAST")):
        for name, value in VALUES.items():
            if low in name and name.replace(low, high) in VALUES:
                assert value <= VALUES[name.replace(low, high)], name
