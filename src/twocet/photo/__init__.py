"""Pictures: reading and writing them, finding faces in them, aligning, marking."""
