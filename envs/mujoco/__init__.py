"""What MuJoCo worlds share: sensors, shapes, contexts, ray-cast pictures, OpenGL rendering."""
