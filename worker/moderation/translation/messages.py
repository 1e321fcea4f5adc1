"""Everything that nano says, as messages of a catalogue. `worker.vision.nano.wording` writes them; a test holds the two together.

`make catalogue` reads this module and brings the catalogues under `locale/` up to date; their languages are those of its folders.
"""


def N_(message: str) -> str:  # noqa: N802  gettext's own name for what is only marked
    """Marks a message for the catalogue."""
    return message


MESSAGES = (
    # The scan's reasons: how strong the traces are
    N_("no traces"),
    N_("faint traces"),
    N_("some traces"),
    N_("clear traces"),
    N_("strong traces"),
    # The zoom's findings. Redrawing: a neural network drew that part of the picture anew
    N_("no traces of redrawing"),
    N_("faint traces of redrawing"),
    N_("some traces of redrawing"),
    N_("clear traces of redrawing"),
    N_("strong traces of redrawing"),
    # The scan's explanation
    N_("At first sight no traces of redrawing."),
    N_("At first sight faint traces of redrawing."),
    N_("At first sight some traces of redrawing."),
    N_("At first sight clear traces of redrawing."),
    N_("At first sight strong traces of redrawing."),
    # The zoom's explanation
    N_("No region was looked at closely."),
    N_("No region shows traces of redrawing."),
    N_("Region %(number)s shows faint traces of redrawing."),
    N_("Region %(number)s shows some traces of redrawing."),
    N_("Region %(number)s shows clear traces of redrawing."),
    N_("Region %(number)s shows strong traces of redrawing."),
)
