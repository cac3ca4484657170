"""The coder's inner loops, compiled. ``trainers/coding/compilation.py`` imports them, from here or from a cached copy.

Everything is whole numbers. A *state* is a uint32: a probability of a one in units of 2^-22, and in the lower ten bits
how many bits it has seen. A *logit* is natural, in units of 1/256. A weight of 2^16 stands for 1. docs/rfz.md says in
the same words and order what is computed.

References:
    Mahoney 2005, "Adaptive weighing of context models for lossless data compression", Florida Tech CS-2005-16:
    logistic mixing; Marpe, Schwarz, Wiegand 2003, "Context-based adaptive binary arithmetic coding in the H.264/AVC
    video compression standard": binarisation and contexts.
"""
