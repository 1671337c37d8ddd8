"""What jobs recorded: one HDF5 file a run, readable while it grows, and a catalogue of many."""
