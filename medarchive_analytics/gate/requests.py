"""An extract request: who wants which columns of which tables, for what, on what legal basis."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from ..core.errors import UserError, unknown_choice
from ..core.filing import filing_standard

LEGAL_BASES = (
    "ethics_approval",
    "patient_consent",
    "public_health_duty",
    "teaching",
    "quality_assurance",
    "synthetic_data",
)


@dataclass(frozen=True)
class ExtractRequest:
    """What a researcher asks for.

    Attributes
    ----------
    title, purpose : str
        What the extract is for, in the requester's words; a purpose has at least 20 characters.
    legal_basis : str
        One of ``LEGAL_BASES``.
    reference : str
        Number of the ethics approval, agreement or order.
    requester : str
        Account name.
    columns : dict of str to tuple of str
        Released columns asked for, by filing table.
    used : dict of str to tuple of str
        The part of them the attached protocol really uses, for data minimisation.
    policy : str
        Name of the de-identification policy.
    """

    title: str
    purpose: str
    legal_basis: str
    reference: str
    requester: str
    columns: dict[str, tuple[str, ...]]
    used: dict[str, tuple[str, ...]] = field(default_factory=dict)
    policy: str = "shifted"

    def check(self) -> None:
        """Raise unless the request can be granted in principle.

        Raises
        ------
        UserError
            If the purpose or legal basis is missing, or a table or column does not exist or is never released.
        """
        if len(self.purpose.strip()) < 20:
            raise UserError("say what the extract is for in at least 20 characters; the stewards judge by it")
        if self.legal_basis not in LEGAL_BASES:
            raise UserError(unknown_choice("legal basis", self.legal_basis, LEGAL_BASES))
        if not self.columns:
            raise UserError("name the tables and columns the extract shall have")
        released = filing_standard().released_tables
        for table, columns in self.columns.items():
            if table not in released:
                raise UserError(unknown_choice("released table", table, released))
            for column in columns:
                if column not in released[table].released_schema:
                    raise UserError(
                        f"table {table}: " + unknown_choice("released column", column, released[table].released_schema)
                    )

    def to_dict(self) -> dict[str, object]:
        """Return the request as plain objects, in a fixed order.

        Returns
        -------
        dict
            Fit for canonical JSON.
        """
        raw = asdict(self)
        for name in ("columns", "used"):
            raw[name] = {t: list(c) for t, c in sorted(raw[name].items())}
        return raw

    @classmethod
    def from_dict(cls, raw: dict[str, object]) -> ExtractRequest:
        """Return the request that :meth:`to_dict` wrote.

        Parameters
        ----------
        raw : dict
            Plain objects.

        Returns
        -------
        ExtractRequest
            The request.
        """
        values = dict(raw)
        for name in ("columns", "used"):
            values[name] = {t: tuple(c) for t, c in dict(values[name]).items()}  # type: ignore[call-overload]
        return cls(**values)  # type: ignore[arg-type]


def all_released_columns() -> dict[str, tuple[str, ...]]:
    """Return every releasable column of every releasable table.

    Returns
    -------
    dict of str to tuple of str
        The widest request there can be.
    """
    return {name: tuple(table.released_schema) for name, table in filing_standard().released_tables.items()}
