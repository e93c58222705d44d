"""What everyone who asks must be allowed to do: one table, an endpoint a row."""

from __future__ import annotations

from enum import IntEnum


class Scope(IntEnum):
    """How far someone may go. Each contains the one before."""

    NOBODY = 0
    READ = 1
    LABEL = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As users and the store spell it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Scope:
        """Raises ValueError."""
        found = {scope.word: scope for scope in cls if scope is not cls.NOBODY}.get(word)
        if found is None:
            raise ValueError(word)
        return found


NEEDS = {
    # Whoever can reach us. Health says no more than that we are well to those who are not logged in.
    "static": Scope.NOBODY,
    "health.show_health": Scope.NOBODY,
    "operations.show_live": Scope.NOBODY,
    "operations.show_ready": Scope.NOBODY,
    "access.show_login": Scope.NOBODY,
    "access.log_in": Scope.NOBODY,
    # Everything there is to see, photos and exports included.
    "access.log_out": Scope.READ,
    "upload.show": Scope.READ,
    "photos.show": Scope.READ,
    "photos.show_image": Scope.READ,
    "photos.show_thumb": Scope.READ,
    "review.show": Scope.READ,
    "aside.index": Scope.READ,
    "decisions.index": Scope.READ,
    "doubts.index": Scope.READ,
    "people.index": Scope.READ,
    "people.show": Scope.READ,
    "people.compare": Scope.READ,
    "people.propose_split": Scope.READ,
    "insights.index": Scope.READ,
    "insights.faces": Scope.READ,
    "jobs.show": Scope.READ,
    "operations.show_metrics": Scope.READ,
    "travel.send_sidecar": Scope.READ,
    "travel.send_labels": Scope.READ,
    "travel.send_training": Scope.READ,
    # Photos and decisions. All of it can be undone.
    "upload.upload": Scope.LABEL,
    "photos.draw": Scope.LABEL,
    "faces.confirm": Scope.LABEL,
    "faces.move": Scope.LABEL,
    "faces.unlabel": Scope.LABEL,
    "faces.reject": Scope.LABEL,
    "faces.accept": Scope.LABEL,
    "faces.dismiss": Scope.LABEL,
    "faces.recognise": Scope.LABEL,
    "doubts.vouch": Scope.LABEL,
    "review.answer": Scope.LABEL,
    "decisions.undo": Scope.LABEL,
    "people.rename": Scope.LABEL,
    "people.merge": Scope.LABEL,
    "people.delete": Scope.LABEL,
    "people.cover": Scope.LABEL,
    "people.split": Scope.LABEL,
    "people.sort": Scope.LABEL,
    "travel.bring_back": Scope.LABEL,
    # The installation itself, and who may come in.
    "admin.show": Scope.ADMIN,
    "admin.forget_answers": Scope.ADMIN,
    "admin.reset_training": Scope.ADMIN,
    "backups.index": Scope.ADMIN,
    "backups.make": Scope.ADMIN,
    "backups.bring_in": Scope.ADMIN,
    "backups.download": Scope.ADMIN,
    "backups.restore": Scope.ADMIN,
    "backups.delete": Scope.ADMIN,
    # What cannot be undone, and what there is of whom.
    "erase.show_person": Scope.ADMIN,
    "erase.erase_person": Scope.ADMIN,
    "erase.show_photo": Scope.ADMIN,
    "erase.erase_photo": Scope.ADMIN,
    "inventory.show": Scope.ADMIN,
    "access.create_token": Scope.ADMIN,
    "access.revoke_token": Scope.ADMIN,
    "access.end_session": Scope.ADMIN,
    "access.end_sessions": Scope.ADMIN,
}


def needed_for(endpoint: str | None) -> Scope:
    """None is an address that leads nowhere: that it does is nobody's business who may not look around. What is not in
    the table is for administrators until somebody has thought about it."""
    return Scope.READ if endpoint is None else NEEDS.get(endpoint, Scope.ADMIN)
