"""The tasks of the tabletop family, one gripper for all of them."""
