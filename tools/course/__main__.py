"""`python -m course COMMAND …`: what the Makefile calls."""

import importlib
import sys

COMMANDS = {"grade": "grading", "prove": "proof", "export": "export"}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"course: choose one of {', '.join(COMMANDS)}")
    sys.exit(importlib.import_module(f"course.{COMMANDS[sys.argv[1]]}").main(sys.argv[2:]))
