"""``python -m twocet`` is the ``twocet`` command."""

from twocet.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
