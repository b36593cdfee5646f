"""The detectors that ship beside the organs: surfaces, boards, counts; plugins by the same door."""
