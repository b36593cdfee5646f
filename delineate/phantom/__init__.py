"""Phantoms: torsos made of numbers, scanned into CTs whose true outlines are known."""

from delineate.phantom.anatomy import Anatomy, draw_anatomy
from delineate.phantom.attenuation import Phase, draw_attenuation, draw_phase
from delineate.phantom.scanner import Scanner
from delineate.phantom.tissue import STRUCTURE_OF_TISSUE, STRUCTURES, Tissue
from delineate.phantom.torso import Body, label, paint_torso, scan, torso

__all__ = [
    "STRUCTURES",
    "STRUCTURE_OF_TISSUE",
    "Anatomy",
    "Body",
    "Phase",
    "Scanner",
    "Tissue",
    "draw_anatomy",
    "draw_attenuation",
    "draw_phase",
    "label",
    "paint_torso",
    "scan",
    "torso",
]
