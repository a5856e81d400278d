"""`python -m wzp_cli` is `wzp`."""

from wzp_cli.cli.app import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
