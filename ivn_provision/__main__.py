"""`python -m ivn_provision`."""

from ivn_provision.cli.main import main

if __name__ == "__main__":
    main()
