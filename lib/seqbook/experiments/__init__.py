"""What is measured for the claims of the chapters, one file per part; chapters and published sweeps call the same functions."""
