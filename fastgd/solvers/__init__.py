"""One file a method, all behind one protocol, and the passes over data that they are made of."""
