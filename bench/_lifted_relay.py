"""`wzp relay` with its limits out of the way: for benchmarks, never to be run.

The limits are constants of `wzp_cli.defaults.relay`; they are set before the modules
that take them over are loaded. Its forwarders are this program, too.
"""

import sys

from wzp_cli.defaults import relay

PLENTY = 1_000_000_000
FORWARDER = "--forwarder"


def main() -> None:
    """Run wzp with the words of the command line."""
    lifted = {
        "RELAY_CHANNEL_MAX_PACKETS_PER_S": PLENTY,
        "RELAY_CHANNEL_MAX_BITS_PER_S": PLENTY * 1000,
        "RELAY_MAX_CONNECTS_PER_CALLER_PER_MIN": PLENTY,
        "RELAY_MAX_CONNECTS_PER_TARGET_PER_MIN": PLENTY,
        "RELAY_MAX_REGISTRATIONS_PER_SOURCE_PER_MIN": PLENTY,
    }
    for name, value in lifted.items():
        assert hasattr(relay, name)
        setattr(relay, name, value)
    if sys.argv[1:2] == [FORWARDER]:
        from wzp_cli.relay.forwarding import forwarder

        del sys.argv[1]
        forwarder.main()
        return
    from wzp_cli.cli.app import main as wzp
    from wzp_cli.relay.forwarding import forwarders

    lifted_too = (sys.executable, "-m", "bench._lifted_relay", FORWARDER)
    forwarders._COMMAND = lifted_too  # type: ignore[assignment]
    wzp()


if __name__ == "__main__":
    main()
