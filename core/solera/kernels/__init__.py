"""Compiled loops: what would be many passes of an array library over a merge's numbers, in one.

A recipe's arithmetic is put on a tape (:mod:`solera.kernels.tape`), which a loop (:mod:`solera.kernels.loops`) plays
over the inputs as they are stored. Every operation rounds as the torch formula does it stands for, so both give the
same bytes.
"""
