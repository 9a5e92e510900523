"""The commands of ``twocet``: one module each, holding one annotated function of the same name."""
