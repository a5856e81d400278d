from wzp_cli.cli.doctor.finding import failed, note, ok, skipped, warning


def test_each_status_has_its_maker() -> None:
    assert ok("UDP", "passes").status == "ok"
    assert skipped("UDP", "no relay").fix is None
    for make in (note, warning, failed):
        found = make("UDP", "is blocked", "another network")
        assert (found.status, found.fix) == (make.__name__, "another network")
