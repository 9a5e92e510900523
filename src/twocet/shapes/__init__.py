"""The paper's method on point sets: landmarks and meshes in place of photos."""
