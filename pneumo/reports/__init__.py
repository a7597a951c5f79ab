"""What a user keeps of a film: its record as JSON or CSV, the overlay as PNG, a page of PDF, DICOM for the PACS."""
