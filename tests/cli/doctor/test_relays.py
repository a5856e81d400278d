import asyncio

import pytest

from tests.cli.doctor.conftest import MakePatient
from tests.support.processes import Processes
from wzp_cli.address import HostPort
from wzp_cli.cli.doctor import files
from wzp_cli.cli.doctor.patient import Patient
from wzp_cli.cli.doctor.relays import check_relays
from wzp_cli.protocol.names.identity import Identity, Keypair

SILENT = HostPort("127.0.0.1", 9)


@pytest.fixture
def there(patient: MakePatient, relay: str) -> Patient:
    """Somebody whose one relay runs."""
    found = patient(relays=(HostPort.parse(relay),), timeout_s=10.0)
    files.check_state(found)
    return found


def test_none_is_set(patient: MakePatient) -> None:
    relay, outside = asyncio.run(check_relays(patient()))
    assert (relay.status, outside.status) == ("warning", "skipped")


def test_it_answers(there: Patient) -> None:
    relay, outside = asyncio.run(check_relays(there))
    assert (relay.status, outside.status) == ("ok", "ok")
    assert "sees us at 127.0.0.1:" in relay.message


def test_its_key_has_changed(there: Patient) -> None:
    (name,) = map(str, there.session.settings.relays)
    there.state.known_relays.pin(name, Keypair.generate().identity.key)
    relay, outside = asyncio.run(check_relays(there))
    assert (relay.status, outside.status) == ("failed", "ok")
    assert relay.fix is not None
    assert relay.fix.endswith(f"wzp id forget {name}")


def test_it_does_not_admit_us(patient: MakePatient, processes: Processes) -> None:
    door = processes.user("door")
    allowed = door.state / "allowed"
    allowed.write_text(f"{Keypair.generate().identity}\n")
    listen = ("--listen", "127.0.0.1:0", "--allow-file", str(allowed))
    port = door.start("relay", *listen).wait_for("relay.ready")["port"]
    found = patient(relays=(HostPort("127.0.0.1", port),))
    files.check_state(found)
    relay, outside = asyncio.run(check_relays(found))
    assert (relay.status, outside.status) == ("failed", "ok")
    assert "does not admit us" in relay.message


def test_silence_of_one_and_of_two(patient: MakePatient) -> None:
    found = patient(relays=(SILENT,), timeout_s=0.3)
    files.check_state(found)
    relay, outside = asyncio.run(check_relays(found))
    assert (relay.status, outside.status) == ("failed", "warning")
    assert "no answer over UDP" in relay.message
    both = patient(relays=(SILENT, HostPort("localhost", 9)), timeout_s=0.3)
    *_, outside = asyncio.run(check_relays(both))
    assert outside.status == "failed"
    assert "UDP is blocked" in outside.message


def test_a_name_that_is_none(patient: MakePatient) -> None:
    found = patient(relays=(HostPort("x.invalid", 9),))
    files.check_state(found)
    relay, _ = asyncio.run(check_relays(found))
    assert relay.message == "x.invalid:9 has no address"


def test_without_a_key_it_is_not_tried(there: Patient) -> None:
    (there.directory / "identity.key").write_text("nothing")
    relay, outside = asyncio.run(check_relays(there))
    assert (relay.status, outside.status) == ("skipped", "skipped")


def test_it_is_reached_through_tcp_alone(
    patient: MakePatient, processes: Processes
) -> None:
    words = ("--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0")
    ready = processes.user("door").start("relay", *words).wait_for("relay.ready")
    found = patient(relays=(SILENT,), timeout_s=2.0)
    files.check_state(found)
    key = Identity.parse(ready["id"]).key
    found.state.known_relays.pin(str(SILENT), key)
    found.state.known_relays.note_tcp_port(str(SILENT), ready["tcp_port"])
    relay, outside = asyncio.run(check_relays(found))
    assert (relay.status, outside.status) == ("ok", "warning")
    assert "through TCP alone" in relay.message
    assert "UDP is blocked" in outside.message
