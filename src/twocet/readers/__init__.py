"""What measuring networks read in a face: expression, identity, features."""
