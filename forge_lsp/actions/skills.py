"""All that can be asked of skills, in one place for the wires."""

from forge_lsp.actions.augmenters import AugmenterRequest, augment, run_augmenter
from forge_lsp.actions.critiques import SkillRequest, run_skill
from forge_lsp.actions.shelf import Shelf, add_skill, find_skill, known_skills, shelf
from forge_lsp.generation.skills import Skill

__all__ = [
    "AugmenterRequest",
    "Shelf",
    "Skill",
    "SkillRequest",
    "add_skill",
    "augment",
    "find_skill",
    "known_skills",
    "run_augmenter",
    "run_skill",
    "shelf",
]
