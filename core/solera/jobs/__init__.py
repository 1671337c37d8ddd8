"""Work in the background: queue, lanes, states, the memory ledger."""
