"""Namesake beside face_recognition: the same photos, the same processors, by turns in one run."""
