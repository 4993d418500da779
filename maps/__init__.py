"""What people see: legends, styles, self-contained maps and the web application."""
