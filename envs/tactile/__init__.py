"""Touch: a catalogue of tactile sensors, how each reads a contact, and the worlds that feel with them."""
