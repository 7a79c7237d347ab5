"""Whether the unit tests notice faults in the library: `make mutants`."""
