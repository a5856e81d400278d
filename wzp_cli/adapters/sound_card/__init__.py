"""The sound card: PortAudio kept in one place, devices found, streams kept alive."""
