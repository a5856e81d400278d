"""A call of the demo in which all went well."""

from wzp_cli.services.demo.report import DemoCall

__all__ = ["GOOD"]

GOOD = DemoCall(
    path="direct",
    remote="127.0.0.1:55555",
    setup_ms=12.0,
    first_audio_ms=40.0,
    time_to_direct_ms=15.0,
    why_not_direct=None,
    correlation=0.98,
    delay_ms=60.0,
    sent=150,
    received=149,
    concealed=1,
)
