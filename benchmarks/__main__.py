"""`python -m benchmarks`: all measurements."""

from benchmarks.emulation import main

if __name__ == "__main__":
    main()
