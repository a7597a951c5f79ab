"""What a user keeps of a film: its record as JSON or CSV, the overlay as PNG, a page of PDF, DICOM for the PACS."""

from pneumo.reports.film_files import FilmFiles, files
from pneumo.reports.records import Record, record

__all__ = ["FilmFiles", "Record", "files", "record"]
