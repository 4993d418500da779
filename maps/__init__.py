"""Maps: classes and legends, styles, self-contained pages, reports, and the web application."""
