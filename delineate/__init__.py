"""An image comes in, a detector finds things in it, and what it found leaves as outlines,
numbers and standard files."""
