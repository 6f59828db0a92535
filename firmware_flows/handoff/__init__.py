"""What leaves the house: the bundle for firmware engineers, and emulators in C++ for an experiment's software."""
