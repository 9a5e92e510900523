"""Several models trained under one budget and measured alike: the paper's Table 1 and 3 and its Fig. 3.

``plan`` says what is trained, ``training`` trains it, ``measure`` measures it, ``table`` and ``pictures`` show it.
"""
